import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DIALECTS, newVFolderId } from '../support/ids.js';
import { expectProblem, INVALID_PARAMETERS } from '../support/problem.js';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { inSeconds } from '../support/tokens.js';

const MAX_UPLOAD_BYTES = 1024 * 1024;
const ONE_DAY_S = 86_400;

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start({ 'max-upload-size': '1m' });
});

afterAll(() => proxy.stop());

const call = (operation: string, members: object) =>
  proxy.manager.call('POST', `/folder/file/${operation}`, { volume: 'local', ...members });

/** An expiry one day from now, give or take the time the test takes. */
function expectOneDay(exp: unknown): void {
  expect(Number(exp)).toBeGreaterThan(inSeconds(ONE_DAY_S - 60));
  expect(Number(exp)).toBeLessThanOrEqual(inSeconds(ONE_DAY_S));
}

describe.each(DIALECTS)('download tokens for %s ids', (dialect) => {
  it.each([
    [{}, {}],
    [{ archive: false, unmanaged_path: null }, {}],
    [{ archive: 'yes' }, { archive: true }],
  ])('carry the claims of the wire: %j', async (members, more) => {
    const vfid = newVFolderId(dialect);
    const answer = await call('download', { vfid, relpath: 'in/../data.csv', ...members });
    expect(answer.status).toBe(200);
    const { header, claims } = proxy.read(answer.json['token']);
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' });
    const { exp, ...others } = claims;
    expect(others).toEqual({ op: 'download', volume: 'local', vfid, relpath: 'data.csv', ...more });
    expectOneDay(exp);
  });

  it.each([
    ['..', { type: 'storage/subpath/invalid' }],
    ['/etc/passwd', INVALID_PARAMETERS],
    ['.upload/x', INVALID_PARAMETERS],
    [undefined, { data: { relpath: 'is required' } }],
  ])('are not issued for %s', async (relpath, problem) => {
    expectProblem(await call('download', { vfid: newVFolderId(dialect), relpath }), 400, problem);
  });

  it('are not issued for unmanaged paths that are not configured', async () => {
    const body = { vfid: newVFolderId(dialect), relpath: 'a', unmanaged_path: '/etc' };
    expectProblem(await call('download', body), 400, {
      ...INVALID_PARAMETERS,
      data: { unmanaged_path: expect.any(String) },
    });
  });
});

describe('archive tokens', () => {
  const good = (): Record<string, unknown> => ({
    virtual_folder_id: newVFolderId('scoped'),
    files: ['a', 'd/./b'],
  });

  it.each([
    [undefined, null],
    [null, null],
    ['results.zip', 'results.zip'],
    ['é'.repeat(255), 'é'.repeat(255)],
  ])('carry the claims of the wire, with the filename %j', async (filename, claimed) => {
    const body = good();
    const answer = await call('archive-download-token', { ...body, filename, color: 'ignored' });
    expect(answer.status).toBe(200);
    const { exp, ...others } = proxy.read(answer.json['token']).claims;
    expect(others).toEqual({
      operation: 'download',
      volume: 'local',
      virtual_folder_id: body['virtual_folder_id'],
      files: ['a', 'd/b'],
      filename: claimed,
    });
    expectOneDay(exp);
  });

  it.each([
    ['files', []],
    ['files', 'a'],
    ['files', [1]],
    ['files', undefined],
    ['virtual_folder_id', 'nonsense'],
    ['filename', ''],
    ['filename', ' '],
    ['filename', '.'],
    ['filename', '..'],
    ['filename', 'a/b'],
    ['filename', String.raw`a\b`],
    ['filename', 'a\nb'],
    ['filename', 'a\u007fb'],
    ['filename', 'x'.repeat(256)],
  ])('are not issued with the %s %j', async (member, value) => {
    const answer = await call('archive-download-token', { ...good(), [member]: value });
    expectProblem(answer, 400, {
      type: 'generic-bad-request',
      error_code: 'api_parsing_invalid-parameters',
      data: { [member]: expect.any(String) },
    });
  });

  it('are not issued for more paths than fit into a URL', async () => {
    const files = Array.from({ length: 1000 }, (_, index) => `some/directory/${index}`);
    expectProblem(await call('archive-download-token', { ...good(), files }), 400);
  });
});

describe.each(DIALECTS)('uploads to %s ids', (dialect) => {
  let folder: TestFolder;

  beforeAll(async () => {
    folder = await proxy.createFolder(dialect);
    // With bare ids the directory has to be there.
    mkdirSync(join(folder.path, 'in'));
  });

  it.each([
    ['a number, as legacy managers send it', 5],
    ['text, as current managers send it', '5'],
  ])('are opened with the size as %s', async (_, size) => {
    const relpath = `in/${typeof size}`;
    const answer = await call('upload', { vfid: folder.vfid, relpath, size });
    expect(answer.status).toBe(200);
    const { exp, session, ...others } = proxy.read(answer.json['token']).claims;
    expect(others).toEqual({ op: 'upload', volume: 'local', vfid: folder.vfid, relpath, size: 5 });
    expect(session).toMatch(/^[0-9a-f]{32}$/);
    expectOneDay(exp);
    const staging = statSync(join(folder.path, '.upload', String(session)));
    expect({ size: staging.size, mode: staging.mode & 0o777 }).toEqual({ size: 0, mode: 0o644 });
    expect(statSync(join(folder.path, '.upload')).mode & 0o777).toBe(0o755);
    const token = String(answer.json['token']);
    const patched = await proxy.patch(token, 0, Buffer.from('hello'));
    expect({ status: patched.status, offset: patched.headers['upload-offset'] }).toEqual({
      status: 204,
      offset: '5',
    });
    expect(readFileSync(join(folder.path, relpath), 'utf8')).toBe('hello');
  });

  it('of nothing are complete when they are opened', async () => {
    await proxy.uploadToken(folder, 'empty', 0);
    expect(statSync(join(folder.path, 'empty')).size).toBe(0);
  });

  it('as large as allowed are opened, larger ones are not', async () => {
    const body = { vfid: folder.vfid, relpath: 'large' };
    expect((await call('upload', { ...body, size: MAX_UPLOAD_BYTES })).status).toBe(200);
    expectProblem(await call('upload', { ...body, size: MAX_UPLOAD_BYTES + 1 }), 400, {
      error_code: 'vfolder_check-limit_invalid-parameters',
    });
  });

  it.each([
    ['size', -1, INVALID_PARAMETERS],
    ['size', '1.5', INVALID_PARAMETERS],
    ['size', '1k', INVALID_PARAMETERS],
    ['size', null, INVALID_PARAMETERS],
    ['size', undefined, { data: { size: 'is required' } }],
    ['relpath', '..', { error_code: 'vfolder_access_invalid-parameters' }],
    ['relpath', 'out/x', { error_code: 'vfolder_access_invalid-parameters' }],
    ['relpath', '/x', INVALID_PARAMETERS],
    ['relpath', '.', { errno: 21 }],
    ['relpath', 'dir', { errno: 21 }],
    ['relpath', '.upload/x', INVALID_PARAMETERS],
  ])('are not opened with the %s %j', async (member, value, problem) => {
    const { path, vfid } = await proxy.createFolder(dialect);
    mkdirSync(join(path, 'dir'));
    symlinkSync(dirname(proxy.outside('x')), join(path, 'out'));
    const answer = await call('upload', { vfid, relpath: 'new', size: 5, [member]: value });
    expectProblem(answer, 400, problem);
    expect(readdirSync(path).toSorted()).toEqual(['dir', 'out']);
  });
});

it('an upload to the noop volume is refused, or has a session of its own', async () => {
  const body = { volume: 'noop', vfid: newVFolderId('scoped'), relpath: 'a', size: 5 };
  const answer = await call('upload', body);
  if (answer.status === 200) {
    expect(proxy.read(answer.json['token']).claims['session']).toMatch(/^[0-9a-f]{32}$/);
  } else {
    expectProblem(answer, 400);
  }
});

it('an upload that was opened is not in the way of another to the same path', async () => {
  const folder = await proxy.createFolder('scoped');
  const [first, second] = [
    await proxy.uploadToken(folder, 'same', 5),
    await proxy.uploadToken(folder, 'same', 6),
  ];
  await proxy.patch(second, 0, Buffer.from('second'));
  expect(readFileSync(join(folder.path, 'same'), 'utf8')).toBe('second');
  await proxy.patch(first, 0, Buffer.from('first'));
  expect(readFileSync(join(folder.path, 'same'), 'utf8')).toBe('first');
});
