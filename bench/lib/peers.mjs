import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts, ServerProcess } from './processes.mjs';

const PEERS = join(import.meta.dirname, '..', 'peers');

/** Whether a program is installed; a peer without its program is left out, and said so. */
export function isInstalled(program) {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Debian's nginx with Debian's http settings: files below `root`, PUT below /put; with `tls` by HTTPS. */
export async function startNginx(directory, { root, workers = 1, tls }) {
  const [port] = await freePorts(1);
  const prefix = join(directory, `nginx-${port}`);
  mkdirSync(join(prefix, 'tmp'), { recursive: true });
  const file = join(prefix, 'nginx.conf');
  const ssl = tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};` : '';
  writeFileSync(
    file,
    `daemon off; worker_processes ${workers}; pid ${prefix}/pid; error_log ${prefix}/error.log;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 768; }
http {
  sendfile on; tcp_nopush on; types_hash_max_size 2048; default_type application/octet-stream;
  access_log ${prefix}/access.log; keepalive_requests 1000000;
  client_body_temp_path ${prefix}/tmp; client_max_body_size 0; ${ssl}
  server {
    listen 127.0.0.1:${port} ${tls ? 'ssl' : ''};
    root ${root};
    location /put/ { alias ${root}/; dav_methods PUT DELETE; create_full_put_path on; }
  }
}
`,
  );
  const logFile = join(prefix, 'output.log');
  const server = new ServerProcess('nginx', ['-p', prefix, '-c', file], { logFile });
  await server.ready(port);
  return { name: tls ? 'nginx (TLS)' : 'nginx', port, process: server, stop: () => server.stop() };
}

/** A peer that is a script beside this suite. */
export async function startScript(name, script, directory, args) {
  const [port] = await freePorts(1);
  const server = new ServerProcess(process.execPath, [join(PEERS, script), String(port), ...args], {
    logFile: join(directory, `${script}-${port}.log`),
  });
  await server.ready(port);
  return { name, port, process: server, stop: () => server.stop() };
}

/** tusd, built from its module by the Go toolchain: undefined where that is not possible. */
export async function startTusd(directory, uploads) {
  const program = buildTusd(join(directory, '..', 'storage-proxy-bench-tusd'));
  if (program === undefined) return undefined;
  const [port] = await freePorts(1);
  mkdirSync(uploads, { recursive: true });
  const args = ['-host', '127.0.0.1', '-port', String(port), '-upload-dir', uploads];
  const server = new ServerProcess(program, args, { logFile: join(directory, `tusd-${port}.log`) });
  await server.ready(port);
  return { name: 'tusd', port, process: server, stop: () => server.stop() };
}

/** Kept between runs: building takes minutes. */
function buildTusd(directory) {
  const program = join(directory, 'tusd');
  if (existsSync(program)) return program;
  if (!isInstalled('go')) return undefined;
  mkdirSync(directory, { recursive: true });
  for (const name of ['go.mod', 'go.sum'])
    copyFileSync(join(PEERS, 'tusd', name), join(directory, name));
  const env = { ...process.env, GOFLAGS: '-mod=mod' };
  const args = ['build', '-o', program, 'github.com/tus/tusd/v2/cmd/tusd'];
  try {
    execFileSync('go', args, { cwd: directory, env, stdio: ['ignore', 'inherit', 'inherit'] });
  } catch {
    return undefined;
  }
  return program;
}
