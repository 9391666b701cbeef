import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

/** Writes a self-signed certificate for `localhost` and its key into a directory. */
export function makeCertificate(
  directory: string,
  organisation: string,
): { readonly cert: string; readonly key: string } {
  const cert = join(directory, 'tls.crt');
  const key = join(directory, 'tls.key');
  const subject = `/CN=localhost/O=${organisation}`;
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const output = ['-keyout', key, '-out', cert, '-days', '2', '-subj', subject];
  execFileSync('openssl', ['req', ...kind, ...output], { stdio: 'ignore' });
  return { cert, key };
}
