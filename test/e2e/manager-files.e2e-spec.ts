import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DIALECTS, newVFolderId, type Dialect } from '../support/ids.js';
import type { Answer } from '../support/http.js';
import { expectProblem, INVALID_PARAMETERS } from '../support/problem.js';
import { Proxy, type TestFolder } from '../support/proxy.js';

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start({ 'scandir-limit': 5 });
});

afterAll(() => proxy.stop());

const OUTSIDE = {
  type: 'storage/subpath/invalid',
  error_code: 'vfolder_access_invalid-parameters',
};

/** A folder with `file` (5 bytes), `dir/inner`, links that stay inside, and links that do not. */
class Files {
  private constructor(private readonly folder: TestFolder) {}

  static async in(dialect: Dialect): Promise<Files> {
    const folder = await proxy.createFolder(dialect);
    const at = (name: string): string => join(folder.path, name);
    writeFileSync(at('file'), 'hello');
    mkdirSync(at('dir'));
    writeFileSync(at('dir/inner'), 'inner');
    return new Files(folder);
  }

  get vfid(): string {
    return this.folder.vfid;
  }

  at(name: string): string {
    return join(this.folder.path, name);
  }

  names(directory = '.'): string[] {
    return readdirSync(this.at(directory)).toSorted();
  }

  call(operation: string, members: object): Promise<Answer> {
    const body = { ...this.folder.ref, ...members };
    return proxy.manager.call('POST', `/folder/file/${operation}`, body);
  }
}

describe('mkdir', () => {
  const results = (success: string[], failed: Record<string, string> = {}): object => ({
    results: {
      success: success.map((item) => ({ msg: null, item })),
      failed: Object.entries(failed).map(([item, msg]) => ({
        item,
        msg: expect.stringContaining(msg) as string,
      })),
    },
  });

  it.each([
    ['one path', { relpath: 'a' }, 200, results(['a'])],
    ['parents by default', { relpath: 'a/b/c' }, 200, results(['a/b/c'])],
    ['a list', { relpath: ['a', 'b/c'] }, 200, results(['a', 'b/c'])],
    ['paths as they are resolved', { relpath: './a//b/../c/' }, 200, results(['a/c'])],
    ['what exists, when told so', { relpath: 'dir', exist_ok: true }, 200, results(['dir'])],
    ['some of a list', { relpath: ['a', 'dir'] }, 207, results(['a'], { dir: 'exists' })],
    ['none of a list', { relpath: ['dir', 'file'] }, 422, results([], { dir: '', file: '' })],
    ['nothing that exists', { relpath: 'dir' }, 422, results([], { dir: 'exists' })],
    [
      'no parents when told so',
      { relpath: 'a/b', parents: false },
      422,
      results([], { 'a/b': '' }),
    ],
    ['nothing below a file', { relpath: 'file/a' }, 422, results([], { 'file/a': 'directory' })],
    [
      'not a file that exists',
      { relpath: 'file', exist_ok: true },
      422,
      results([], { file: 'exists' }),
    ],
    ['nothing of an empty list', { relpath: [] }, 422, results([])],
    ['not the folder itself', { relpath: '' }, 422, results([], { '.': 'exists' })],
  ])('with scoped ids makes and reports %s', async (_, members, status, json) => {
    const files = await Files.in('scoped');
    const answer = await files.call('mkdir', members);
    expect({ status: answer.status, json: answer.json }).toEqual({ status, json });
  });

  it('with scoped ids reports a link that leads out beside what was made', async () => {
    const files = await Files.in('scoped');
    symlinkSync(dirname(proxy.outside('x')), files.at('out'));
    const answer = await files.call('mkdir', { relpath: ['a', 'out/b'] });
    expect(answer.status).toBe(207);
    expect(answer.text).not.toContain(proxy.mount());
    expect(existsSync(join(dirname(proxy.outside('x')), 'b'))).toBe(false);
  });

  it.each([
    ['one path', { relpath: 'a/b' }, 204, undefined],
    ['what exists, when told so', { relpath: 'dir', exist_ok: 'yes' }, 204, undefined],
    ['nothing that exists', { relpath: 'dir' }, 400, { msg: 'File exists', errno: 17 }],
    [
      'no parents when told so',
      { relpath: 'a/b', parents: 0 },
      400,
      { msg: 'No such file or directory', errno: 2 },
    ],
    ['nothing below a file', { relpath: 'file/a' }, 400, { msg: 'Not a directory', errno: 20 }],
  ])('with bare ids makes %s', async (_, members, status, problem) => {
    const files = await Files.in('bare');
    const answer = await files.call('mkdir', members);
    expect(answer.status).toBe(status);
    if (problem) expectProblem(answer, 400, { ...problem, paths: [members.relpath] });
    else expect(answer.text).toBe('');
  });

  it('gives the modes of the layout', async () => {
    const files = await Files.in('scoped');
    await files.call('mkdir', { relpath: 'parent/leaf' });
    expect(statSync(files.at('parent')).mode & 0o7777).toBe(0o755);
    expect(statSync(files.at('parent/leaf')).mode & 0o7777).toBe(0o755);
  });

  it('takes 50 paths, and refuses 51', async () => {
    const files = await Files.in('scoped');
    const relpath = Array.from({ length: 51 }, (_, index) => `d${index}`);
    expectProblem(await files.call('mkdir', { relpath }), 400, {
      ...INVALID_PARAMETERS,
      data: { relpath: expect.any(String) },
    });
    expect((await files.call('mkdir', { relpath: relpath.slice(1) })).status).toBe(200);
  });
});

describe.each(DIALECTS)('list with %s ids', (dialect) => {
  it('shows what lstat says of each entry', async () => {
    const files = await Files.in(dialect);
    chmodSync(files.at('file'), 0o640);
    utimesSync(files.at('file'), 1_772_330_584, 1_772_330_584.5);
    symlinkSync('file', files.at('link'));
    const { status, json } = await files.call('list', { relpath: '.' });
    const items = (json['items'] as { name: string }[]).toSorted((a, b) =>
      a.name < b.name ? -1 : 1,
    );
    const time = expect.stringMatching(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00$/,
    ) as string;
    expect({ status, truncated: json['truncated'], items }).toEqual({
      status: 200,
      truncated: false,
      items: [
        {
          name: 'dir',
          type: 'DIRECTORY',
          stat: {
            mode: 0o40_755,
            size: lstatSync(files.at('dir')).size,
            created: time,
            modified: time,
          },
          symlink_target: '',
        },
        {
          name: 'file',
          type: 'FILE',
          stat: {
            mode: 0o100_640,
            size: 5,
            created: time,
            modified: '2026-03-01T02:03:04.500000+00:00',
          },
          symlink_target: '',
        },
        {
          name: 'link',
          type: 'SYMLINK',
          stat: { mode: 0o120_777, size: 4, created: time, modified: time },
          symlink_target: dialect === 'scoped' ? 'file' : '/file',
        },
      ],
    });
  });

  it('tells where links lead while they stay inside', async () => {
    const files = await Files.in(dialect);
    const links = { down: 'inner', up: '../file', out: '/etc', loop: 'loop' };
    for (const [name, target] of Object.entries(links))
      symlinkSync(target, files.at(`dir/${name}`));
    const { json } = await files.call('list', { relpath: 'dir' });
    const targets = Object.fromEntries(
      (json['items'] as { name: string; symlink_target: string }[]).map((item) => [
        item.name,
        item.symlink_target,
      ]),
    );
    expect(targets).toEqual({
      inner: '',
      out: '',
      loop: '',
      down: dialect === 'scoped' ? 'inner' : '/dir/inner',
      up: dialect === 'scoped' ? '' : '/file',
    });
  });

  it('stops at scandir-limit, and says so', async () => {
    const files = await Files.in(dialect);
    for (let index = 0; index < 7; index++) writeFileSync(files.at(`dir/${index}`), '');
    const { json } = await files.call('list', { relpath: 'dir' });
    expect(json['items']).toHaveLength(5);
    expect(json['truncated']).toBe(true);
  });

  it.each([1, 3, 5, 100])('goes through a directory in pages of at most %i', async (limit) => {
    const files = await Files.in(dialect);
    await files.call('upload', { relpath: 'new', size: 5 });
    for (let index = 0; index < 11; index++) writeFileSync(files.at(`${index}`), '');
    const seen: string[] = [];
    let cursor: unknown;
    do {
      const page = { relpath: '.', limit, ...(cursor !== undefined && { cursor }) };
      const { status, json } = await files.call('list', page);
      const items = json['items'] as { name: string }[];
      ({ cursor } = json);
      expect({ status, truncated: json['truncated'] }).toEqual({
        status: 200,
        truncated: cursor !== undefined,
      });
      expect(items.length).toBeLessThanOrEqual(Math.min(limit, 5));
      seen.push(...items.map(({ name }) => name));
    } while (cursor !== undefined);
    expect(['.upload', ...seen].toSorted()).toEqual(files.names().toSorted());
  });

  it('sorts by the bytes of names what it may read', async () => {
    const files = await Files.in(dialect);
    for (const name of ['b', 'a', 'B', 'é']) writeFileSync(files.at(`dir/${name}`), '');
    const names = async (more: object): Promise<unknown> => {
      const { json } = await files.call('list', { relpath: 'dir', sort: 'name', ...more });
      const items = json['items'] as { name: string }[];
      return { names: items.map(({ name }) => name), truncated: json['truncated'] };
    };
    expect(await names({})).toEqual({ names: ['B', 'a', 'b', 'inner', 'é'], truncated: false });
    expect(await names({ limit: 2 })).toEqual({ names: ['B', 'a'], truncated: true });
    writeFileSync(files.at('dir/more'), '');
    expect(await names({})).toMatchObject({ truncated: true });
  });

  it.each([
    ['a cursor that is none', { cursor: 'zzzzzzzzzzzzz' }, { cursor: expect.any(String) }],
    ['a cursor of sorted names', { cursor: 'a', sort: 'name' }, { cursor: expect.any(String) }],
    ['a page of nothing', { limit: 0 }, { limit: expect.any(String) }],
    ['another order', { sort: 'size' }, { sort: expect.any(String) }],
  ])('refuses %s', async (_, page, data) => {
    const files = await Files.in(dialect);
    expectProblem(await files.call('list', { relpath: '.', ...page }), 400, { data });
  });

  it('hides uploads that are under way', async () => {
    const files = await Files.in(dialect);
    await files.call('upload', { relpath: 'new', size: 5 });
    const { json } = await files.call('list', { relpath: '' });
    expect((json['items'] as { name: string }[]).map(({ name }) => name).toSorted()).toEqual([
      'dir',
      'file',
    ]);
  });

  it.each([
    ['missing', 400, { msg: 'No such file or directory', errno: 2, paths: ['missing'] }],
    ['file', 400, { msg: 'Not a directory', errno: 20, paths: ['file'] }],
    ['..', 400, OUTSIDE],
    ['dir/../..', 400, OUTSIDE],
    ['out', 400, OUTSIDE],
    ['/etc', 400, { data: { relpath: 'expected relative path but the value is absolute' } }],
    ['.upload', 400, { data: { relpath: expect.any(String) } }],
  ])('refuses %s', async (relpath, status, problem) => {
    const files = await Files.in(dialect);
    symlinkSync('/etc', files.at('out'));
    expectProblem(await files.call('list', { relpath }), status, problem);
  });

  it('shows names that are not UTF-8, and takes them back', async () => {
    const files = await Files.in(dialect);
    const raw = Buffer.concat([Buffer.from(`${files.at('.')}/`), Buffer.from([0x62, 0xff, 0xe9])]);
    writeFileSync(raw, 'x');
    const { text } = await files.call('list', { relpath: '.' });
    expect(text).toContain(String.raw`"b\udcff\udce9"`);
    const renamed = await files.call('rename', { relpath: 'b\udcff\udce9', new_name: 'better' });
    expect(renamed.status).toBe(204);
    expect(files.names()).toContain('better');
  });
});

describe.each(DIALECTS)('rename with %s ids', (dialect) => {
  it.each([
    ['file', 'renamed', {}],
    ['file', 'renamed', { is_dir: false }],
    ['file', 'renamed', { is_dir: null }],
    ['dir', 'renamed', { is_dir: true }],
    ['dir/inner', 'renamed', {}],
    ['link', 'renamed', {}],
    ['file', '이름 with blanks', {}],
  ])('gives %s the name %s: %j', async (relpath, new_name, members) => {
    const files = await Files.in(dialect);
    symlinkSync('file', files.at('link'));
    const answer = await files.call('rename', { relpath, new_name, ...members });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' });
    expect(files.names(dirname(relpath))).toContain(new_name);
    expect(existsSync(files.at(relpath))).toBe(false);
  });

  it('tolerates the name it has', async () => {
    const files = await Files.in(dialect);
    expect((await files.call('rename', { relpath: 'file', new_name: 'file' })).status).toBe(204);
    expect(files.names()).toEqual(['dir', 'file']);
  });

  it.each([
    ['file', 'a/b', { ...INVALID_PARAMETERS }],
    ['file', '..', { ...INVALID_PARAMETERS }],
    ['file', '.', { ...INVALID_PARAMETERS }],
    ['file', '', { ...INVALID_PARAMETERS }],
    ['file', '.upload', {}],
    ['.', 'new', { ...INVALID_PARAMETERS }],
    ['dir/..', 'new', { ...INVALID_PARAMETERS }],
    ['missing', 'new', { errno: 2, paths: ['missing', 'new'] }],
    ['../x', 'new', OUTSIDE],
    ['file', 'dir', { errno: 17 }],
    ['dir', 'file', { errno: 17 }],
  ])('refuses to give %s the name %j', async (relpath, new_name, problem) => {
    const files = await Files.in(dialect);
    const answer = await files.call('rename', { relpath, new_name });
    expectProblem(answer, 400, problem);
    expect(String(answer.json['error_code'])).toMatch(/^vfolder_/);
    expect(files.names()).toEqual(['dir', 'file']);
  });
});

describe.each(DIALECTS)('move with %s ids', (dialect) => {
  it.each([
    ['into an existing directory', 'file', 'dir', 'dir/file'],
    ['to a new name', 'file', 'other', 'other'],
    ['over an existing file', 'file', 'dir/inner', 'dir/inner'],
    ['a directory below parents that it makes', 'dir', 'x/y/z', 'x/y/z'],
    ['through a link that stays inside', 'file', 'way', 'dir/file'],
  ])('moves %s', async (_, from, to, result) => {
    const files = await Files.in(dialect);
    symlinkSync('dir', files.at('way'));
    const answer = await files.call('move', { src_relpath: from, dst_relpath: to });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' });
    expect(existsSync(files.at(from))).toBe(false);
    const moved = from === 'dir' ? `${result}/inner` : result;
    expect(readFileSync(files.at(moved), 'utf8')).toBe(from === 'dir' ? 'inner' : 'hello');
  });

  it.each([
    ['a file below parents that are missing', 'file', 'x/y', { errno: 2 }],
    ['what is missing', 'missing', 'x', { errno: 2, msg: 'No such file or directory' }],
    ['a directory into itself', 'dir', 'dir/sub', {}],
    ['a directory onto itself', 'dir', 'dir', {}],
    ['the folder', '.', 'x', {}],
    ['out of the folder', 'file', '../x', OUTSIDE],
    ['from outside', '../x', 'x', OUTSIDE],
    ['through a link that leads out', 'file', 'out/x', OUTSIDE],
    ['onto a link that leads out', 'file', 'out', OUTSIDE],
    ['to an absolute path', 'file', '/tmp/x', { ...INVALID_PARAMETERS }],
    ['into the uploads', 'file', '.upload/x', {}],
  ])('does not move %s', async (_, from, to, problem) => {
    const files = await Files.in(dialect);
    symlinkSync(dirname(proxy.outside('x')), files.at('out'));
    const answer = await files.call('move', { src_relpath: from, dst_relpath: to });
    expectProblem(answer, 400, problem);
    expect(String(answer.json['error_code'])).toMatch(/^vfolder_/);
    expect(answer.text).not.toContain(proxy.mount());
    expect(files.names()).toEqual(['dir', 'file', 'out']);
    expect(files.names('dir')).toEqual(['inner']);
  });
});

describe.each(DIALECTS)('fetch with %s ids', (dialect) => {
  it('answers the content', async () => {
    const files = await Files.in(dialect);
    const answer = await files.call('fetch', { relpath: 'dir/inner' });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: 'inner' });
    expect(answer.headers['content-type']).toBe('application/octet-stream');
  });

  it('answers an empty file with 200 and nothing', async () => {
    const files = await Files.in(dialect);
    writeFileSync(files.at('empty'), '');
    const answer = await files.call('fetch', { relpath: 'empty' });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: '' });
  });

  it('answers more than a chunk, through a link that stays inside', async () => {
    const files = await Files.in(dialect);
    const content = 'log line\n'.repeat(100_000);
    writeFileSync(files.at('log'), content);
    symlinkSync('log', files.at('latest'));
    expect((await files.call('fetch', { relpath: 'latest' })).text === content).toBe(true);
  });

  it.each([
    ['missing', 404, { error_code: 'vfolder_read_not-found' }],
    ['file/below', 404, { error_code: 'vfolder_read_not-found' }],
    ['dir', 400, { errno: 21 }],
    ['.', 400, { errno: 21 }],
    ['..', 400, OUTSIDE],
    ['out', 400, OUTSIDE],
    ['loop', 400, {}],
  ])('refuses %s in JSON, before the first byte', async (relpath, status, problem) => {
    const files = await Files.in(dialect);
    symlinkSync('/etc/hostname', files.at('out'));
    symlinkSync('loop', files.at('loop'));
    expectProblem(await files.call('fetch', { relpath }), status, problem);
  });
});

describe.each(DIALECTS)('delete with %s ids', (dialect) => {
  it('removes files, links themselves, and directories when told so', async () => {
    const files = await Files.in(dialect);
    symlinkSync('file', files.at('inside'));
    symlinkSync('/etc', files.at('outside'));
    symlinkSync('nowhere', files.at('dangling'));
    const links = await files.call('delete', { relpaths: ['inside', 'outside', 'dangling'] });
    expect({ status: links.status, json: links.json }).toEqual({
      status: 200,
      json: { status: 'ok' },
    });
    expect(files.names()).toEqual(['dir', 'file']);
    expect((await files.call('delete', { relpaths: ['file', 'dir'], recursive: 1 })).status).toBe(
      200,
    );
    expect(files.names()).toEqual([]);
  });

  it('takes an empty list', async () => {
    const files = await Files.in(dialect);
    expect((await files.call('delete', { relpaths: [] })).json).toEqual({ status: 'ok' });
    expect(files.names()).toEqual(['dir', 'file']);
  });

  it.each([
    ['a directory without recursive', { relpaths: ['file', 'dir'] }, { errno: 21, paths: ['dir'] }],
    ['a path that leaves', { relpaths: ['file', '../x'] }, OUTSIDE],
    ['the folder', { relpaths: ['file', '.'], recursive: true }, OUTSIDE],
    ['the folder by a detour', { relpaths: ['file', 'dir/..'], recursive: true }, OUTSIDE],
    ['below a link that leads out', { relpaths: ['file', 'out/x'] }, OUTSIDE],
    ['an absolute path', { relpaths: ['file', '/etc/passwd'] }, INVALID_PARAMETERS],
    ['the uploads', { relpaths: ['file', '.upload'], recursive: true }, INVALID_PARAMETERS],
    ['no list', { relpaths: 'file' }, INVALID_PARAMETERS],
  ])('refuses %s, and deletes nothing', async (_, members, problem) => {
    const files = await Files.in(dialect);
    const outside = proxy.outside('x');
    symlinkSync(dirname(outside), files.at('out'));
    expectProblem(await files.call('delete', members), 400, problem);
    expect(files.names()).toEqual(['dir', 'file', 'out']);
    expect(existsSync(outside)).toBe(true);
  });

  it('keeps other names of a file', async () => {
    const files = await Files.in(dialect);
    linkSync(files.at('file'), files.at('hard'));
    await files.call('delete', { relpaths: ['hard'] });
    expect(readFileSync(files.at('file'), 'utf8')).toBe('hello');
  });
});

describe('delete of what is missing', () => {
  it('with scoped ids succeeds, and does the rest', async () => {
    const files = await Files.in('scoped');
    const answer = await files.call('delete', { relpaths: ['missing', 'file'] });
    expect(answer.json).toEqual({ status: 'ok' });
    expect(files.names()).toEqual(['dir']);
  });

  it('with bare ids answers fs-error 2', async () => {
    const files = await Files.in('bare');
    const answer = await files.call('delete', { relpaths: ['missing', 'file'] });
    expectProblem(answer, 400, { errno: 2, paths: ['missing'] });
  });
});

describe('delete-async', () => {
  it.each(DIALECTS)('with %s ids deletes by a job', async (dialect) => {
    const files = await Files.in(dialect);
    const answer = await files.call('delete-async', { relpaths: ['file', 'dir'], recursive: true });
    expect(answer.status).toBe(202);
    expect(answer.json).toEqual({ bgtask_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as string });
    expect(await proxy.manager.jobEnd(answer)).toMatchObject({
      kind: 'delete_files',
      state: 'done',
      vfid: files.vfid,
    });
    expect(files.names()).toEqual([]);
  });

  it('fails, as the job, for a directory without recursive', async () => {
    const files = await Files.in('scoped');
    const answer = await files.call('delete-async', { relpaths: ['dir'] });
    expect(await proxy.manager.jobEnd(answer)).toMatchObject({
      state: 'failed',
      error: { code: 'IS_A_DIRECTORY' },
    });
    expect(files.names()).toEqual(['dir', 'file']);
  });

  it.each([
    ['a path that leaves', ['../x'], OUTSIDE],
    ['the folder itself', ['.'], OUTSIDE],
    ['an absolute path', ['/x'], { error_code: 'api_parsing_invalid-parameters' }],
  ])('refuses %s at once', async (_, relpaths, problem) => {
    const files = await Files.in('scoped');
    expectProblem(await files.call('delete-async', { relpaths, recursive: true }), 400, problem);
  });
});

describe('a vfolder that is missing', () => {
  const operations: readonly (readonly [string, object])[] = [
    ['mkdir', { relpath: 'a' }],
    ['list', { relpath: '.' }],
    ['rename', { relpath: 'a', new_name: 'b' }],
    ['move', { src_relpath: 'a', dst_relpath: 'b' }],
    ['fetch', { relpath: 'a' }],
    ['upload', { relpath: 'a', size: 1 }],
    ['delete', { relpaths: ['a'] }],
    ['delete-async', { relpaths: ['a'] }],
  ];

  const cases = DIALECTS.flatMap((dialect) =>
    operations.map(([operation, members]) => ({ dialect, operation, members })),
  );

  it.each(cases)('answers 404: $dialect $operation', async ({ dialect, operation, members }) => {
    const vfid = newVFolderId(dialect);
    const body = { volume: 'local', vfid, ...members };
    const answer = await proxy.manager.call('POST', `/folder/file/${operation}`, body);
    expectProblem(answer, 404, {
      type: 'storage/vfolder/not-found',
      title: 'VFolder Not Found',
      error_code: 'vfolder_read_not-found',
      msg: expect.stringContaining(vfid),
    });
  });
});
