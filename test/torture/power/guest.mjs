/**
 * Runs inside of a User-Mode-Linux guest: a server on the disk at /mnt/volume and its clients, which tell everything
 * that was acknowledged on standard output, one JSON line each. First it checks what the lines of earlier lives of this
 * disk promised. Arguments: the file with those lines, `verify` to end after the check, and a module for the server
 * to preload.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { contentOf } from './content.mjs';

const [, , ledgerFile, mode, preload] = process.argv;
const VOLUME = '/mnt/volume';
const SCOPE = 'user:0f0e0d0c-0b0a-4090-8070-605040302010';
const PLANES = { client: 6021, manager: 6022, internal: 16023 };
const SECRET = 'the-secret-of-the-guest';
const LANES = 3;
const LARGEST = 400_000;

const tell = (fact) => process.stdout.write(`@@${JSON.stringify(fact)}\n`);
const life = readFileSync(ledgerFile, 'utf8').split('\n').length;
let names = 0;

const server = await startServer();
await verify();
if (mode !== 'verify') {
  await Promise.all([...Array.from({ length: LANES }, uploadForEver), deleteForEver()]);
}
// Its workers die with it.
server.kill('SIGKILL');
process.exit(0);

async function startServer() {
  mkdirSync('/tmp/server', { recursive: true });
  writeFileSync(`${VOLUME}/version.txt`, '3\n');
  writeFileSync(
    '/tmp/server/storage-proxy.toml',
    `[storage-proxy]
node-id = "guest"
num-proc = 1
secret = "the-key-of-the-tokens-of-the-guest"
session-expire = "30d"
user = 0
group = 0
[api.client]
service-addr = "127.0.0.1:${PLANES.client}"
ssl-enabled = false
[api.manager]
service-addr = "127.0.0.1:${PLANES.manager}"
internal-addr = "127.0.0.1:${PLANES.internal}"
ssl-enabled = false
secret = "${SECRET}"
[volume.local]
backend = "vfs"
path = "${VOLUME}"
`,
    { mode: 0o600 },
  );
  const args = ['dist/main.js', 'serve', '-f', '/tmp/server/storage-proxy.toml'];
  if (preload) args.unshift('--import', preload);
  const server = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  for (;;) {
    if (server.exitCode !== null) throw new Error('the server does not start');
    const ready = await fetch(`http://127.0.0.1:${PLANES.internal}/readyz`).catch(() => undefined);
    if (ready?.status === 200) return server;
    await sleep(200);
  }
}

async function manager(path, parameters) {
  return await fetch(`http://127.0.0.1:${PLANES.manager}${path}`, {
    method: 'POST',
    headers: { 'x-backendai-storage-auth-token': SECRET, 'content-type': 'application/json' },
    body: JSON.stringify({ volume: 'local', ...parameters }),
  });
}

async function upload(method, token, offset, body) {
  return await fetch(`http://127.0.0.1:${PLANES.client}/upload?token=${token}`, {
    method,
    ...(body && { headers: { 'upload-offset': String(offset) }, body }),
  });
}

function folderId(name) {
  return `${SCOPE}/${Buffer.from(name.padEnd(16, '-')).toString('hex').slice(0, 32)}`;
}

function pathOf(vfid) {
  const [scope, folder] = vfid.split('/');
  const parts = [folder.slice(0, 2), folder.slice(2, 4), folder.slice(4)];
  return [VOLUME, scope.slice(5).replaceAll('-', ''), ...parts].join('/');
}

async function expecting(status, answer) {
  if (answer.status === status) return answer;
  throw new Error(`${answer.status} instead of ${status}: ${await answer.text()}`);
}

async function uploadForEver() {
  const vfid = folderId('uploads');
  // Making it again is fine while it is empty.
  const made = await manager('/folder/create', { vfid });
  if (![204, 409].includes(made.status)) throw new Error(`folder/create: ${made.status}`);
  for (;;) {
    const name = `life-${life}/${names++}`;
    const size = randomInt(1, LARGEST);
    const content = contentOf(name, size);
    const issued = await manager('/folder/file/upload', { vfid, relpath: name, size });
    const { token } = await (await expecting(200, issued)).json();
    tell({ upload: name, size, token });
    for (let offset = 0; offset < size;) {
      const end = randomInt(3) === 0 ? size : randomInt(offset + 1, size + 1);
      await expecting(204, await upload('PATCH', token, offset, content.subarray(offset, end)));
      tell({ acknowledged: name, offset: end });
      offset = end;
    }
  }
}

async function deleteForEver() {
  for (;;) {
    const vfid = folderId(`gone-${life}-${names++}`);
    await expecting(204, await manager('/folder/create', { vfid }));
    writeFileSync(`${pathOf(vfid)}/file`, 'content');
    await expecting(202, await manager('/folder/delete', { vfid }));
    tell({ deleted: vfid });
    await sleep(100);
  }
}

async function verify() {
  const facts = readFileSync(ledgerFile, 'utf8').split('\n').filter(Boolean).map(JSON.parse);
  const uploads = new Map();
  for (const fact of facts) {
    if (fact.upload) uploads.set(fact.upload, { ...fact, offset: 0 });
    else if (fact.acknowledged) uploads.get(fact.acknowledged).offset = fact.offset;
    else if (fact.deleted && existsSync(pathOf(fact.deleted))) {
      tell({ violation: `${fact.deleted} was deleted, and is there` });
    }
  }
  for (const [name, promised] of uploads) await verifyUpload(name, promised);
  tell({ verified: uploads.size });
}

async function verifyUpload(name, { size, token, offset: acknowledged }) {
  const content = contentOf(name, size);
  const path = `${pathOf(folderId('uploads'))}/${name}`;
  if (existsSync(path) && statSync(path).size !== size) {
    tell({ violation: `${name} is partial: ${statSync(path).size} of ${size} bytes` });
  }
  const head = await upload('HEAD', token);
  const offset = Number(head.headers.get('upload-offset'));
  if (head.status !== 200 || offset < acknowledged) {
    const told = `HEAD answers ${head.status}, ${offset}`;
    tell({ violation: `${name}: ${told}; ${acknowledged} of ${size} were acknowledged` });
    return;
  }
  if (offset < size) {
    await expecting(204, await upload('PATCH', token, offset, content.subarray(offset)));
    tell({ acknowledged: name, offset: size });
  }
  if (!existsSync(path) || !readFileSync(path).equals(content)) {
    tell({ violation: `${name} is not what was sent (HEAD told ${offset} of ${size})` });
  }
}
