import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { compare } from '../lib/measure.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { isInstalled, startNginx } from '../lib/peers.mjs';
import { timed } from '../lib/processes.mjs';
import { writeNoise } from './downloads.mjs';

export const name = 'tls';
export const title = 'Downloads through TLS';

const GIB = 2 ** 30;

/** curl decrypts, so it uses more CPU than either server: what counts here is CPU a GiB, not the clock. */
export async function run({ directory, rounds, scale, note }) {
  if (!isInstalled('curl') || !isInstalled('openssl')) {
    note('curl and openssl are needed: left out');
    return [];
  }
  const tls = makeCertificate(directory);
  const proxy = await StorageProxy.start(directory, { tls });
  const folder = await proxy.createFolder();
  const nginx = await startNginx(directory, { root: folder.path, tls });
  try {
    const size = Math.round(GIB * scale);
    writeNoise(join(folder.path, 'large.bin'), size);
    const measure =
      ({ port, path, server }) =>
      async () => {
        const url = `https://127.0.0.1:${port}${path}`;
        const cpu = server.cpuSeconds();
        await timed('curl', ['-ksSf', '--ciphers', 'ECDHE-ECDSA-AES256-GCM-SHA384', url]);
        return { value: (server.cpuSeconds() - cpu) / (size / GIB) };
      };
    const contenders = [
      {
        name: 'storage-proxy',
        port: proxy.client,
        path: proxy.downloadPath(folder, 'large.bin'),
        server: proxy.process,
      },
      { name: 'nginx (TLS)', port: nginx.port, path: '/large.bin', server: nginx.process },
    ];
    return await compare({
      work: `${size / GIB} GiB`,
      unit: 'CPU s/GiB',
      better: 'lower',
      rounds,
      contenders: contenders.map((one) => ({ name: one.name, measure: measure(one) })),
      targets: { 'nginx (TLS)': 1 },
    });
  } finally {
    await proxy.stop();
    await nginx.stop();
  }
}

function makeCertificate(directory) {
  const [cert, key] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
  const kind = ['-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const output = ['-keyout', key, '-out', cert, '-days', '2', '-subj', '/CN=localhost'];
  execFileSync('openssl', ['req', ...kind, ...output], { stdio: 'ignore' });
  return { cert, key };
}
