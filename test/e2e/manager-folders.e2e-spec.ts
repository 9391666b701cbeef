import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DIALECTS, newScope, newVFolderId, scopePath, vfolderPath } from '../support/ids.js';
import { expectProblem, INVALID_PARAMETERS } from '../support/problem.js';
import { Proxy } from '../support/proxy.js';

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start();
});

afterAll(() => proxy.stop());

const call = (method: string, path: string, members: object) =>
  proxy.manager.call(method, path, { volume: 'local', ...members });
const pathOf = (vfid: string, volume = 'local'): string =>
  join(proxy.mount(volume), vfolderPath(vfid));
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

/** An id whose prefix directory no other folder of the volume shares, so that it goes with the folder. */
function lonelyBareId(): string {
  for (;;) {
    const vfid = newVFolderId('bare');
    if (!existsSync(dirname(dirname(pathOf(vfid))))) return vfid;
  }
}

describe.each(DIALECTS)('creating a vfolder with a %s id', (dialect) => {
  it('makes it where the layout says, with the modes of the layout', async () => {
    const { path } = await proxy.createFolder(dialect);
    expect(modeOf(path)).toBe(0o755);
    expect(modeOf(dirname(path))).toBe(0o777 & ~0o022);
    expect(modeOf(dirname(dirname(path)))).toBe(0o777 & ~0o022);
    expect(readdirSync(path)).toEqual([]);
  });

  it.each([0o775, 0o700, 0o2770, '509', null])('gives it the mode %j exactly', async (mode) => {
    const vfid = newVFolderId(dialect);
    expect((await call('POST', '/folder/create', { vfid, mode })).status).toBe(204);
    expect(modeOf(pathOf(vfid))).toBe(mode === null ? 0o755 : Number(mode));
  });

  it.each([
    undefined,
    null,
    {},
    { quota: null },
    { quota: 1024 },
    { quota: '10g' },
    { initial_max_size_for_quota_scope: 1_000_000 },
    { initial_max_size_for_quota_scope: 0 },
    { color: 'any' },
  ])('takes the options %j', async (options) => {
    const vfid = newVFolderId(dialect);
    expect((await call('POST', '/folder/create', { vfid, options })).status).toBe(204);
    expect(existsSync(pathOf(vfid))).toBe(true);
  });

  it.each([
    ['mode', 'rwx'],
    ['mode', -1],
    ['mode', 0o10000],
    ['mode', 1.5],
    ['mode', true],
    ['options', 'none'],
    ['options', []],
    ['options', { quota: '5b' }],
    ['options', { quota: -1 }],
    ['options', { initial_max_size_for_quota_scope: -1 }],
    ['vfid', ''],
    ['vfid', 'no-uuid'],
    ['vfid', 'group:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030'],
    ['vfid', 'user:0f0e0d0c/9f8e7d6c5b4a43929190807060504030'],
    ['vfid', '../../../../etc'],
    ['vfid', 5],
    ['volume', 5],
    ['volume', ''],
  ])('refuses the %s %j', async (member, value) => {
    const before = readdirSync(proxy.mount()).length;
    const body = { vfid: newVFolderId(dialect), [member]: value };
    expectProblem(await call('POST', '/folder/create', body), 400, {
      ...INVALID_PARAMETERS,
      error_code: 'vfolder_request_invalid-parameters',
      data: { [member]: expect.any(String) },
    });
    expect(readdirSync(proxy.mount())).toHaveLength(before);
  });

  it('may be repeated while the folder is empty, and takes the mode again', async () => {
    const { vfid, path } = await proxy.createFolder(dialect);
    expect((await call('POST', '/folder/create', { vfid, mode: 0o775 })).status).toBe(204);
    expect(modeOf(path)).toBe(0o775);
  });

  it('answers 409 when the folder holds something', async () => {
    const { vfid, path } = await proxy.createFolder(dialect);
    writeFileSync(join(path, 'kept'), 'kept');
    expectProblem(await call('POST', '/folder/create', { vfid }), 409, {
      error_code: 'vfolder_create_already-exists',
    });
    expect(readFileSync(join(path, 'kept'), 'utf8')).toBe('kept');
  });
});

it('creating a scoped vfolder makes its quota scope', async () => {
  const scope = newScope('project');
  await proxy.createFolder('scoped', newVFolderId('scoped', scope));
  expect(modeOf(join(proxy.mount(), scopePath(scope)))).toBe(0o755);
});

it('the same UUID is a folder of its own in each generation', async () => {
  const scoped = newVFolderId('scoped');
  const bare = scoped.slice(scoped.indexOf('/') + 1);
  const first = await proxy.createFolder('scoped', scoped);
  const second = await proxy.createFolder('bare', bare);
  writeFileSync(join(first.path, 'a'), '');
  writeFileSync(join(second.path, 'b'), '');
  expect(readdirSync(first.path)).toEqual(['a']);
  expect(readdirSync(second.path)).toEqual(['b']);
});

describe('deleting a vfolder', () => {
  it('with a scoped id answers with the job that sweeps it', async () => {
    const { vfid, path } = await proxy.createFolder('scoped');
    mkdirSync(join(path, 'd/e'), { recursive: true });
    writeFileSync(join(path, 'd/e/f'), 'x');
    const answer = await call('POST', '/folder/delete', { vfid });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ bgtask_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string });
    expect(existsSync(path)).toBe(false);
    expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done', vfid });
    const scope = join(proxy.mount(), scopePath(vfid.slice(0, vfid.indexOf('/'))));
    expect(existsSync(scope)).toBe(true);
    expect(existsSync(dirname(dirname(path)))).toBe(false);
    expect(readdirSync(scope).filter((name) => !name.startsWith('.'))).toEqual([]);
    expect(readdirSync(join(scope, '.trash'))).toEqual([]);
  });

  it('with a bare id is over when it is answered', async () => {
    const { vfid, path } = await proxy.createFolder('bare', lonelyBareId());
    mkdirSync(join(path, 'd/e'), { recursive: true });
    const answer = await call('POST', '/folder/delete', { vfid });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' });
    expect(existsSync(dirname(dirname(path)))).toBe(false);
    expect(readdirSync(join(proxy.mount(), '.trash'))).toEqual([]);
  });

  it.each([
    ['scoped', 202],
    ['bare', 204],
  ] as const)('with a %s id that is gone already succeeds', async (dialect, status) => {
    const { vfid } = await proxy.createFolder(dialect);
    for (let time = 1; time <= 3; time++) {
      const answer = await call('POST', '/folder/delete', { vfid });
      expect(answer.status).toBe(status);
      if (status === 202) {
        expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done' });
      }
    }
    const never = await call('POST', '/folder/delete', { vfid: newVFolderId(dialect) });
    expect(never.status).toBe(status);
  });

  it('does not follow links out of the folder', async () => {
    const outside = proxy.outside('survivor');
    const { vfid, path } = await proxy.createFolder('scoped');
    symlinkSync(dirname(outside), join(path, 'out'));
    symlinkSync(outside, join(path, 'file'));
    await proxy.manager.jobEnd(await call('POST', '/folder/delete', { vfid }));
    expect(readFileSync(outside, 'utf8')).toBe('secret of the host');
  });
});

describe('cloning a vfolder', () => {
  const clone = (source: string, target: string, members: object = {}) =>
    proxy.manager.call('POST', '/folder/clone', {
      src_volume: 'local',
      src_vfid: source,
      dst_volume: 'local',
      dst_vfid: target,
      ...members,
    });

  async function filled(dialect: 'scoped' | 'bare'): Promise<string> {
    const { vfid, path } = await proxy.createFolder(dialect);
    mkdirSync(join(path, 'd/empty'), { recursive: true });
    writeFileSync(join(path, 'd/run.sh'), '#!/bin/sh\n');
    chmodSync(join(path, 'd/run.sh'), 0o750);
    utimesSync(join(path, 'd/run.sh'), 1_772_330_584, 1_772_330_584);
    symlinkSync('d/run.sh', join(path, 'inside'));
    symlinkSync('/etc/hostname', join(path, 'outside'));
    symlinkSync('nowhere', join(path, 'dangling'));
    return vfid;
  }

  function expectClone(path: string): void {
    expect(readdirSync(path).toSorted()).toEqual(['d', 'dangling', 'inside', 'outside']);
    expect(readdirSync(join(path, 'd')).toSorted()).toEqual(['empty', 'run.sh']);
    const stat = statSync(join(path, 'd/run.sh'));
    expect({ mode: stat.mode & 0o7777, mtime: stat.mtimeMs }).toEqual({
      mode: 0o750,
      mtime: 1_772_330_584_000,
    });
    expect(readFileSync(join(path, 'd/run.sh'), 'utf8')).toBe('#!/bin/sh\n');
    const links = ['inside', 'outside', 'dangling'].map((name) => readlinkSync(join(path, name)));
    expect(links).toEqual(['d/run.sh', '/etc/hostname', 'nowhere']);
  }

  it.each([
    ['the same volume', { dst_volume: 'local' }, 'local'],
    ['null, which is the same', { dst_volume: null, options: { any: 1 }, color: 1 }, 'local'],
    ['another volume', { dst_volume: 'other' }, 'other'],
  ])('with scoped ids is a job, to %s', async (_, members, volume) => {
    const source = await filled('scoped');
    const target = newVFolderId('scoped');
    const answer = await clone(source, target, members);
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ bgtask_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string });
    expect(await proxy.manager.jobEnd(answer)).toMatchObject({
      kind: 'clone_vfolder',
      state: 'done',
      vfid: target,
      error: null,
    });
    expectClone(pathOf(target, volume));
    expectClone(pathOf(source));
    expect(modeOf(pathOf(target, volume))).toBe(0o755);
  });

  it('with scoped ids may be repeated: the second request finds the job of the first', async () => {
    const source = await filled('scoped');
    const target = newVFolderId('scoped');
    const first = await clone(source, target);
    const second = await clone(source, target);
    expect(second.json).toEqual(first.json);
    await proxy.manager.jobEnd(first);
    expect((await clone(source, target)).json).toEqual(first.json);
  });

  it('with scoped ids fails when the destination holds something', async () => {
    const source = await filled('scoped');
    const { vfid, path } = await proxy.createFolder('scoped');
    writeFileSync(join(path, 'kept'), '');
    expectProblem(await clone(source, vfid), 409, { error_code: 'vfolder_create_already-exists' });
    expect(readdirSync(path)).toEqual(['kept']);
  });

  it('with bare ids is over when it is answered', async () => {
    const source = await filled('bare');
    const target = newVFolderId('bare');
    const answer = await clone(source, target);
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' });
    expectClone(pathOf(target));
  });

  it('with bare ids fills a destination that the manager has made before', async () => {
    const source = await filled('bare');
    const { vfid, path } = await proxy.createFolder('bare');
    for (let time = 1; time <= 2; time++) expect((await clone(source, vfid)).status).toBe(204);
    expectClone(path);
  });

  it.each(DIALECTS)('with %s ids of a missing folder answers 404', async (dialect) => {
    expectProblem(await clone(newVFolderId(dialect), newVFolderId(dialect)), 404, {
      type: 'storage/vfolder/not-found',
      error_code: 'vfolder_read_not-found',
    });
  });

  it('refuses a folder as its own clone', async () => {
    const source = await filled('scoped');
    expectProblem(await clone(source, source), 400, INVALID_PARAMETERS);
  });

  it('wants the key dst_volume, be it null', async () => {
    const body = {
      src_volume: 'local',
      src_vfid: newVFolderId('scoped'),
      dst_vfid: newVFolderId('scoped'),
    };
    expectProblem(await proxy.manager.call('POST', '/folder/clone', body), 400, {
      data: { dst_volume: 'is required' },
    });
  });

  it('leaves uploads that are under way behind', async () => {
    const { vfid, path, ref } = await proxy.createFolder('scoped');
    await proxy.manager.expecting(200, 'POST', '/folder/file/upload', {
      ...ref,
      relpath: 'a',
      size: 5,
    });
    expect(existsSync(join(path, '.upload'))).toBe(true);
    const target = newVFolderId('scoped');
    await proxy.manager.jobEnd(await clone(vfid, target));
    expect(readdirSync(pathOf(target))).toEqual([]);
  });
});

describe.each(DIALECTS)('asking about a vfolder with a %s id', (dialect) => {
  it('tells where it is mounted', async () => {
    const { vfid, path } = await proxy.createFolder(dialect);
    mkdirSync(join(path, 'sub'));
    for (const subpath of [undefined, '.', '', 'sub', 'sub/../sub', 'not/there']) {
      const answer = await call('GET', '/folder/mount', { vfid, subpath });
      expect({ status: answer.status, json: answer.json }).toEqual({ status: 200, json: { path } });
    }
  });

  it('refuses a subpath that leads out, and names it', async () => {
    const { vfid, path } = await proxy.createFolder(dialect);
    symlinkSync('/etc', join(path, 'link'));
    for (const subpath of ['..', 'a/../../b', '/etc', 'link']) {
      const answer = await call('GET', '/folder/mount', { vfid, subpath });
      expectProblem(answer, 400, { msg: 'Invalid vfolder subpath', vfid, subpath });
      expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    }
  });

  it('answers 400 to the mount of a missing folder', async () => {
    const vfid = newVFolderId(dialect);
    const answer = await call('GET', '/folder/mount', { vfid });
    expectProblem(answer, 400, { msg: 'VFolder not found', vfid });
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('counts entries and bytes, links as themselves', async () => {
    const { vfid, path } = await proxy.createFolder(dialect);
    writeFileSync(join(path, 'a'), 'x'.repeat(12_345));
    symlinkSync('.', join(path, 'loop'));
    symlinkSync(proxy.outside('big', 'x'.repeat(99_999)), join(path, 'out'));
    const links = lstatSync(join(path, 'loop')).size + lstatSync(join(path, 'out')).size;
    const usage = { file_count: 3, used_bytes: 12_345 + links };
    expect((await call('GET', '/folder/usage', { vfid })).json).toEqual(usage);
    expect((await call('GET', '/folder/used-bytes', { vfid })).json).toEqual({
      used_bytes: usage.used_bytes,
    });
  });

  it.each(['/folder/usage', '/folder/used-bytes'])('answers 404 on %s of none', async (path) => {
    expectProblem(await call('GET', path, { vfid: newVFolderId(dialect) }), 404, {
      type: 'storage/vfolder/not-found',
      title: 'VFolder Not Found',
      error_code: 'vfolder_read_not-found',
    });
  });

  it('answers metadata with the stub', async () => {
    const vfid = newVFolderId(dialect);
    for (const [method, members] of [
      ['GET', {}],
      ['POST', { payload: { a: 1 } }],
    ] as const) {
      const answer = await call(method, '/folder/metadata', { vfid, ...members });
      expect({ status: answer.status, json: answer.json }).toEqual({
        status: 200,
        json: { status: 'ok' },
      });
    }
  });
});

it('a file where the vfolder should be is no vfolder', async () => {
  const { vfid, path } = await proxy.createFolder('scoped');
  rmSync(path, { recursive: true });
  writeFileSync(path, '');
  expectProblem(await call('GET', '/folder/usage', { vfid }), 404, {
    error_code: 'vfolder_read_not-found',
  });
});
