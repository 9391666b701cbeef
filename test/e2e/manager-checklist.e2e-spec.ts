import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerTo, send } from '../support/http.js';
import { newScope, newVFolderId, scopePath, vfolderPath } from '../support/ids.js';
import { AUTH_HEADER } from '../support/manager-client.js';
import { expectProblem } from '../support/problem.js';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { inSeconds } from '../support/tokens.js';

/**
 * The compatibility checklist of the wire protocol (its section 12), a test for each row, with folders of
 * both generations side by side on one volume.
 */
let proxy: Proxy;
let scoped: TestFolder;
let bare: TestFolder;

beforeAll(async () => {
  proxy = await Proxy.start();
  scoped = await proxy.createFolder('scoped');
  bare = await proxy.createFolder('bare');
});

afterAll(() => proxy.stop());

const SET_C = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers':
    'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type',
  'access-control-expose-headers': expect.stringContaining(
    'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type',
  ) as string,
  'access-control-allow-methods': '*',
};

const call = (method: string, path: string, members: object) =>
  proxy.manager.call(method, path, { volume: 'local', ...members });

describe('row 1', () => {
  it('keeps connections for at least 75 s, and uses them again', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set<number | undefined>();
    for (let time = 1; time <= 3; time++) {
      const outgoing = request(`${proxy.manager.origin}/volumes`, {
        agent,
        headers: { [AUTH_HEADER]: proxy.secret },
      });
      outgoing.on('socket', (socket) => {
        if (socket.localPort) ports.add(socket.localPort);
        else socket.once('connect', () => ports.add(socket.localPort));
      });
      const answer = answerTo(outgoing);
      outgoing.end();
      const { headers } = await answer;
      const [, seconds] = /timeout=(\d+)/.exec(String(headers['keep-alive'])) ?? [];
      expect(Number(seconds)).toBeGreaterThanOrEqual(75);
      // Longer than Node's own limit for idle connections would be too long for a test.
      await sleep(100);
    }
    agent.destroy();
    expect(ports.size).toBe(1);
  });

  it('reads JSON bodies on every method whatever their Content-Type', async () => {
    const qsid = newScope();
    const members = { volume: 'local', qsid };
    const withLimit = { ...members, options: { limit_bytes: 1 } };
    for (const [method, path, body, status] of [
      ['POST', '/quota-scope', members, 204],
      ['PATCH', '/quota-scope', withLimit, 204],
      ['GET', '/quota-scope', members, 200],
      ['DELETE', '/quota-scope/quota', members, 204],
    ] as const) {
      for (const headers of [{}, { 'content-type': 'text/html' }]) {
        const bytes = Buffer.from(JSON.stringify(body));
        const answer = await proxy.manager.send(method, path, bytes, headers);
        const isRepeated = method === 'POST' && 'content-type' in headers;
        expect(answer.status).toBe(isRepeated ? 409 : status);
      }
    }
  });
});

it.each([
  ['none', undefined],
  ['the start of the secret', 'the-secret'],
  ['the secret and more', 'the-secret-of-the-test-manager!'],
  ['one of the same length', 'the-secret-of-the-test-manageR'],
])('row 2: refuses a secret with 403 in JSON: %s', async (_, secret) => {
  const headers = secret === undefined ? {} : { [AUTH_HEADER]: secret };
  expectProblem(await send('GET', `${proxy.manager.origin}/volumes`, headers), 403, {
    type: 'storage/forbidden',
  });
});

describe('row 3', () => {
  it.each([
    ['a missing parameter', 'POST', '/folder/create', { vfid: undefined }, 400],
    ['a folder that is missing', 'GET', '/folder/usage', { vfid: newVFolderId('scoped') }, 404],
    ['a path that leaves', 'POST', '/folder/file/list', { relpath: '..' }, 400],
    ['an entry that is missing', 'POST', '/folder/file/list', { relpath: 'missing' }, 400],
    ['a directory in the way', 'POST', '/folder/file/delete', { relpaths: ['d'] }, 400],
    ['a bad name', 'POST', '/folder/file/rename', { relpath: 'd', new_name: 'a/b' }, 400],
    ['a file that is too large', 'POST', '/folder/file/upload', { relpath: 'a', size: 1e15 }, 400],
    ['an unsupported operation', 'GET', '/volume/quota', {}, 400],
  ])('answers %s completely, and in domain vfolder', async (_, method, path, members, status) => {
    mkdirSync(join(scoped.path, 'd'), { recursive: true });
    const answer = await call(method, path, { vfid: scoped.vfid, ...members });
    expectProblem(answer, status);
    expect(String(answer.json['error_code'])).toMatch(/^vfolder_/);
  });
});

it('row 4: reads ids of both generations, and prints scoped ones in one form', async () => {
  const missing = newVFolderId('scoped');
  const [scope = '', hex = ''] = missing.split('/');
  const [type = '', uuid = ''] = scope.split(':');
  const dashed = hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
  for (const vfid of [
    missing,
    `${type.toUpperCase()}:${uuid}/${hex}`,
    `${type}:${uuid.replaceAll('-', '')}/${dashed.toUpperCase()}`,
  ]) {
    const { json } = await call('POST', '/folder/file/download', { vfid, relpath: 'a' });
    expect(proxy.read(json['token']).claims['vfid']).toBe(missing);
  }
  const started = await call('POST', '/folder/delete', { vfid: `${scope}/${dashed}` });
  expect(await proxy.manager.jobEnd(started)).toMatchObject({ vfid: missing });
  for (const vfid of [bare.vfid, bare.vfid.replaceAll('-', ''), bare.vfid.toUpperCase()]) {
    const { json } = await call('GET', '/folder/mount', { vfid });
    expect(json).toEqual({ path: bare.path });
  }
});

it.each([
  ['user', undefined, 0o755],
  ['project', 509, 0o775],
] as const)('row 5: lays out a %s folder with the mode %s', async (type, mode, expected) => {
  const vfid = newVFolderId('scoped', newScope(type));
  await proxy.manager.expecting(204, 'POST', '/folder/create', { volume: 'local', vfid, mode });
  const path = join(proxy.mount(), vfolderPath(vfid));
  expect(path).toContain(`/${scopePath(vfid.split('/')[0]!)}/`);
  expect(statSync(path).mode & 0o7777).toBe(expected);
});

it.each(['scoped', 'bare'] as const)('row 5: stages uploads of %s ids', async (dialect) => {
  const folder = await proxy.createFolder(dialect);
  const token = await proxy.uploadToken(folder, 'new', 5);
  const { session } = proxy.read(token).claims;
  expect(statSync(join(folder.path, '.upload')).mode & 0o7777).toBe(0o755);
  expect(statSync(join(folder.path, '.upload', String(session))).mode & 0o7777).toBe(0o644);
});

it('row 6: deletes scoped ids by a job with 202, bare ids at once with 204', async () => {
  const first = await proxy.createFolder('scoped');
  const answer = await call('POST', '/folder/delete', { vfid: first.vfid });
  expect(answer.status).toBe(202);
  expect(Object.keys(answer.json)).toEqual(['bgtask_id']);
  expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done' });
  const second = await proxy.createFolder('bare');
  writeFileSync(join(second.path, 'f'), '');
  const other = await call('POST', '/folder/delete', { vfid: second.vfid });
  expect({ status: other.status, text: other.text }).toEqual({ status: 204, text: '' });
  expect([first, second].filter(({ path }) => existsSync(path))).toEqual([]);
});

it('row 7: clones scoped ids by a job with 200, bare ids at once with 204', async () => {
  writeFileSync(join(scoped.path, 'content'), 'scoped');
  writeFileSync(join(bare.path, 'content'), 'bare');
  const target = newVFolderId('scoped');
  const volumes = { src_volume: 'local', dst_volume: 'local' };
  const answer = await proxy.manager.call('POST', '/folder/clone', {
    ...volumes,
    src_vfid: scoped.vfid,
    dst_vfid: target,
  });
  expect(answer.status).toBe(200);
  expect(Object.keys(answer.json)).toEqual(['bgtask_id']);
  expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done' });
  const made = await proxy.createFolder('bare');
  const other = await proxy.manager.call('POST', '/folder/clone', {
    ...volumes,
    src_vfid: bare.vfid,
    dst_vfid: made.vfid,
  });
  expect({ status: other.status, text: other.text }).toEqual({ status: 204, text: '' });
  const copy = (path: string): string => readFileSync(join(path, 'content'), 'utf8');
  expect(copy(join(proxy.mount(), vfolderPath(target)))).toBe('scoped');
  expect(copy(made.path)).toBe('bare');
});

it('row 8: mkdir reports with scoped ids, and is silent with bare ids', async () => {
  const mkdir = (vfid: string, relpath: string | string[]) =>
    call('POST', '/folder/file/mkdir', { vfid, relpath });
  const folder = await proxy.createFolder('scoped');
  const outcomes = [await mkdir(folder.vfid, 'a'), await mkdir(folder.vfid, ['a', 'b'])];
  outcomes.push(await mkdir(folder.vfid, ['a', 'b']));
  expect(outcomes.map(({ status }) => status)).toEqual([200, 207, 422]);
  expect(outcomes[1]!.json).toEqual({
    results: {
      success: [{ msg: null, item: 'b' }],
      failed: [{ msg: expect.any(String) as string, item: 'a' }],
    },
  });
  const silent = await mkdir(bare.vfid, 'row8');
  expect({ status: silent.status, text: silent.text }).toEqual({ status: 204, text: '' });
});

it.each(['scoped', 'bare'] as const)(
  'row 9: rename needs no is_dir, and sizes are text or numbers, with %s ids',
  async (dialect) => {
    const { vfid, path } = await proxy.createFolder(dialect);
    writeFileSync(join(path, 'a'), '');
    await proxy.manager.expecting(204, 'POST', '/folder/file/rename', {
      volume: 'local',
      vfid,
      relpath: 'a',
      new_name: 'b',
    });
    for (const size of [7, '7']) {
      const { json } = await call('POST', '/folder/file/upload', { vfid, relpath: 'c', size });
      expect(proxy.read(json['token']).claims['size']).toBe(7);
    }
  },
);

it('row 10: a missing quota scope is 404, one of vfs knows no numbers', async () => {
  const qsid = newScope();
  expectProblem(await call('GET', '/quota-scope', { qsid }), 404, {
    error_code: 'quota-scope_read_not-found',
  });
  await proxy.manager.expecting(204, 'POST', '/quota-scope', { volume: 'local', qsid });
  const { status, json } = await call('GET', '/quota-scope', { qsid });
  expect({ status, json }).toEqual({ status: 200, json: { used_bytes: null, limit_bytes: null } });
});

it.each(['scoped', 'bare'] as const)('row 11: speaks tus for %s ids', async (dialect) => {
  const folder = await proxy.createFolder(dialect);
  const token = await proxy.uploadToken(folder, 'a', 10);
  const head = (): ReturnType<Proxy['client']> => proxy.client('HEAD', '/upload', { token });
  const lengths = (offset: string): object => ({
    ...SET_C,
    'tus-resumable': '1.0.0',
    'cache-control': 'no-store',
    'upload-offset': offset,
    'upload-length': '10',
  });
  expect(await head()).toMatchObject({ status: 200, headers: lengths('0') });
  const first = await proxy.patch(token, 0, Buffer.from('01234'));
  expect(first).toMatchObject({ status: 204, headers: lengths('5'), text: '' });
  expect(await head()).toMatchObject({ status: 200, headers: lengths('5') });
  expect(await proxy.patch(token, 5, Buffer.from('56789'))).toMatchObject({
    status: 204,
    headers: lengths('10'),
  });
  expect(readFileSync(join(folder.path, 'a'), 'utf8')).toBe('0123456789');
});

it.each([
  ['no token', {}, {}],
  ['a token that is none', { token: 'x' }, {}],
  ['a wrong offset', {}, { 'upload-offset': 3 }],
])('row 11: has set C on errors too: %s', async (name, query, headers) => {
  const token = await proxy.uploadToken(scoped, 'row11', 10);
  const answer = await proxy.client(
    'PATCH',
    '/upload',
    name === 'a wrong offset' ? { token } : query,
    headers,
    Buffer.from('x'),
  );
  expect(answer.status).toBe(name === 'a wrong offset' ? 409 : 400);
  expect(answer.headers).toMatchObject(SET_C);
  expectProblem(answer, answer.status);
});

it.each(['scoped', 'bare'] as const)('row 12: wants Upload-Offset for %s ids', async (dialect) => {
  const folder = dialect === 'scoped' ? scoped : bare;
  const token = await proxy.uploadToken(folder, 'row12', 5);
  const answer = await proxy.client('PATCH', '/upload', { token }, {}, Buffer.from('hello'));
  expectProblem(answer, 400, {
    error_code: 'storage-proxy_request_invalid-parameters',
    msg: 'Missing required Upload-Offset header for TUS PATCH request',
  });
  expectProblem(await proxy.patch(token, 5, Buffer.from('x')), 409, {
    error_code: 'storage-proxy_update_conflict',
    msg: 'Upload offset mismatch: expected 0, got 5',
  });
  expect(existsSync(join(folder.path, 'row12'))).toBe(false);
});

it.each(['scoped', 'bare'] as const)('row 13: downloads of %s ids resume', async (dialect) => {
  const folder = dialect === 'scoped' ? scoped : bare;
  writeFileSync(join(folder.path, 'data'), '0123456789');
  const { mtimeNs, size } = statSync(join(folder.path, 'data'), { bigint: true });
  const token = await proxy.downloadToken(folder, 'data');
  const gzip = { 'accept-encoding': 'gzip, deflate' };
  const whole = await proxy.client('GET', '/download', { token }, gzip);
  expect(whole).toMatchObject({
    status: 200,
    text: '0123456789',
    headers: {
      etag: `"${mtimeNs.toString(16)}-${size.toString(16)}"`,
      'accept-ranges': 'bytes',
      'content-length': '10',
      'content-type': 'application/octet-stream',
    },
  });
  expect(whole.headers).not.toHaveProperty('content-encoding');
  const resume = { range: 'bytes=4-', 'if-range': String(whole.headers['last-modified']) };
  expect(await proxy.client('GET', '/download', { token }, resume)).toMatchObject({
    status: 206,
    text: '456789',
    headers: { 'content-range': 'bytes 4-9/10', 'content-length': '6' },
  });
});

it('row 14: an expired token is 400 on /download and /upload, 401 on /download-archive', async () => {
  const { volume, vfid } = scoped.ref;
  const past = { volume, exp: inSeconds(-5) };
  const session = '0'.repeat(32);
  const download = proxy.sign({ ...past, op: 'download', vfid, relpath: 'a' });
  const upload = proxy.sign({ ...past, op: 'upload', vfid, relpath: 'a', size: 1, session });
  const archive = proxy.sign({
    ...past,
    operation: 'download',
    virtual_folder_id: vfid,
    files: ['a'],
    filename: null,
  });
  for (const [method, path, token] of [
    ['GET', '/download', download],
    ['PATCH', '/upload', upload],
  ] as const) {
    const answer = await proxy.client(method, path, { token }, { 'upload-offset': 0 });
    expectProblem(answer, 400, { type: 'storage/invalid-api-params' });
  }
  expectProblem(await proxy.client('GET', '/download-archive', { token: archive }), 401, {
    error_code: 'auth_auth_data-expired',
    title: 'JWT token has expired.',
  });
});

it('row 15: what happens to folders is told in order, with ids as they are printed', async () => {
  // There is no Valkey here yet, whose messages this row is about: jobs tell a publisher, and that the log.
  const { vfid } = await proxy.createFolder('scoped');
  const answer = await call('POST', '/folder/delete', { vfid });
  await proxy.manager.jobEnd(answer);
  const told = (): (string | undefined)[] =>
    proxy.output
      .split('\n')
      .filter((line) => line.includes(String(answer.json['bgtask_id'])))
      .map((line) => JSON.parse(line) as { msg?: string; vfolder?: string })
      // The audit trail, whose records have no message, is on standard output too.
      .filter(({ msg, vfolder }) => msg !== undefined && vfolder === vfid)
      .map(({ msg }) => msg);
  for (let patience = 50; !told().includes('job is done') && patience > 0; patience--) {
    await sleep(50);
  }
  expect(told()).toEqual(['vfolder was deleted', 'job is done']);
});

it('row 16: has the built-in volume noop, unlisted', async () => {
  const { json } = await proxy.manager.expecting(200, 'GET', '/volumes');
  expect((json['volumes'] as { name: string }[]).map(({ name }) => name)).not.toContain('noop');
  const noop = { volume: 'noop', vfid: newVFolderId('scoped') };
  await proxy.manager.expecting(204, 'POST', '/folder/create', noop);
  expect((await proxy.manager.call('GET', '/folder/mount', noop)).json).toEqual({ path: '.' });
});

it('row 17: lists the volumes that work although one does not', async () => {
  const { status, json } = await proxy.manager.call('GET', '/volumes');
  expect(status).toBe(200);
  const names = (json['volumes'] as { name: string }[]).map(({ name }) => name);
  expect(names).toEqual(['local', 'other']);
  expect(readdirSync(join(proxy.mount(), '..')).toSorted()).toEqual(['local', 'other']);
});
