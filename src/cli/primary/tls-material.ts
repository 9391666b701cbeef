import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { TlsMaterial, WorkerBrief } from '../ipc/protocol.js';
import type { Settings } from '../../config/settings.js';

/**
 * Reads certificates and keys of both planes.
 *
 * @throws Error with one line for each file that cannot be read, or pair that does not fit together
 */
export function readTlsMaterial({ api }: Settings): WorkerBrief['tls'] {
  const problems: string[] = [];
  const read = (plane: 'client' | 'manager'): TlsMaterial | null => {
    const { sslEnabled, sslCert, sslPrivkey } = api[plane];
    if (!sslEnabled || sslCert === undefined || sslPrivkey === undefined) return null;
    try {
      const material = {
        cert: readFileSync(sslCert, 'utf8'),
        key: readFileSync(sslPrivkey, 'utf8'),
      };
      createSecureContext(material);
      return material;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      problems.push(`api.${plane}.ssl-cert, api.${plane}.ssl-privkey: cannot be used: ${reason}`);
      return null;
    }
  };
  const tls = { client: read('client'), manager: read('manager') };
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return tls;
}
