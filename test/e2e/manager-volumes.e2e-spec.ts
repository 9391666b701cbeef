import { randomUUID } from 'node:crypto';
import { statfsSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { newScope, newVFolderId } from '../support/ids.js';
import { expectProblem } from '../support/problem.js';
import { Proxy } from '../support/proxy.js';

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start();
});

afterAll(() => proxy.stop());

describe('GET /volumes', () => {
  it('lists the volumes that work, without noop and without the one that is away', async () => {
    const answer = await proxy.manager.call('GET', '/volumes');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    const listed = (name: string): object => ({
      name,
      backend: 'vfs',
      path: proxy.mount(name),
      fsprefix: '.',
      capabilities: ['vfolder'],
    });
    expect(answer.json).toEqual({ volumes: [listed('local'), listed('other')] });
  });

  it('takes no body', async () => {
    expectProblem(await proxy.manager.call('GET', '/volumes', {}), 400, {
      type: 'storage/malformed-request',
      title: 'Malformed request (request body should be empty)',
      error_code: 'vfolder_parsing_bad-request',
    });
  });
});

describe('what a plain filesystem says of itself', () => {
  it.each(['local', 'noop'])('is healthy: %s', async (volume) => {
    const answer = await proxy.manager.call('GET', '/volume/hwinfo', { volume });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ status: 'healthy', status_info: null, metadata: {} });
  });

  it('has no performance figures', async () => {
    const answer = await proxy.manager.call('GET', '/volume/performance-metric', {
      volume: 'local',
    });
    expectProblem(answer, 400, {
      type: 'storage/unsupported-operation',
      title: 'Unsupported operation by the storage backend',
      error_code: 'vfolder_request_not-implemented',
    });
  });

  it('tells capacity and use as df does', async () => {
    const seen = (): { capacity_bytes: number; used_bytes: number } => {
      const { bsize, blocks, bavail } = statfsSync(proxy.mount());
      return { capacity_bytes: bsize * blocks, used_bytes: bsize * (blocks - bavail) };
    };
    // Other processes write to the disk meanwhile: sooner or later both look at the same moment.
    for (;;) {
      const before = seen();
      const { json } = await proxy.manager.expecting(200, 'GET', '/folder/fs-usage', {
        volume: 'local',
      });
      expect(Object.keys(json).toSorted()).toEqual(Object.keys(before).toSorted());
      if (isDeepStrictEqual(json, before)) return;
    }
  });
});

describe('quotas of single vfolders', () => {
  const cases = [
    ['GET', { vfid: newVFolderId('scoped') }],
    ['GET', { vfid: newVFolderId('bare') }],
    ['GET', { vfid: null }],
    ['GET', {}],
    ['PATCH', { vfid: newVFolderId('scoped'), size_bytes: '10g' }],
    ['PATCH', { vfid: newVFolderId('bare'), size_bytes: 1024 }],
  ] as const;

  it.each(cases)('are unsupported: %s %j', async (method, members) => {
    const body = { volume: 'local', ...members };
    expectProblem(await proxy.manager.call(method, '/volume/quota', body), 400, {
      type: 'storage/unsupported-operation',
    });
  });

  it.each(['1.5', '5b', '', 'inf', -1, 1.5, null])('refuse the size %j', async (size_bytes) => {
    const body = { volume: 'local', vfid: newVFolderId('bare'), size_bytes };
    expectProblem(await proxy.manager.call('PATCH', '/volume/quota', body), 400, {
      type: 'storage/invalid-api-params',
      data: { size_bytes: expect.any(String) },
    });
  });
});

/** Every operation that names a volume, with otherwise good parameters. */
const OPERATIONS: readonly (readonly [string, string, object])[] = (() => {
  const vfid = newVFolderId('scoped');
  const file = { vfid, relpath: 'a' };
  return [
    ['GET', '/volume/hwinfo', {}],
    ['GET', '/volume/performance-metric', {}],
    ['GET', '/folder/fs-usage', {}],
    ['POST', '/quota-scope', { qsid: newScope() }],
    ['GET', '/quota-scope', { qsid: newScope() }],
    ['PATCH', '/quota-scope', { qsid: newScope(), options: { limit_bytes: 1 } }],
    ['DELETE', '/quota-scope/quota', { qsid: newScope() }],
    ['POST', '/folder/create', { vfid }],
    ['POST', '/folder/delete', { vfid }],
    ['GET', '/folder/mount', { vfid }],
    ['GET', '/folder/usage', { vfid }],
    ['GET', '/folder/used-bytes', { vfid }],
    ['GET', '/folder/metadata', { vfid }],
    ['POST', '/folder/metadata', { vfid, payload: {} }],
    ['POST', '/folder/file/mkdir', file],
    ['POST', '/folder/file/list', file],
    ['POST', '/folder/file/rename', { ...file, new_name: 'b' }],
    ['POST', '/folder/file/move', { vfid, src_relpath: 'a', dst_relpath: 'b' }],
    ['POST', '/folder/file/fetch', file],
    ['POST', '/folder/file/download', file],
    ['POST', '/folder/file/archive-download-token', { virtual_folder_id: vfid, files: ['a'] }],
    ['POST', '/folder/file/upload', { ...file, size: 1 }],
    ['POST', '/folder/file/delete', { vfid, relpaths: ['a'] }],
    ['POST', '/folder/file/delete-async', { vfid, relpaths: ['a'] }],
  ];
})();

describe('a volume that is not configured', () => {
  it.each(OPERATIONS)('is named in a 400: %s %s', async (method, path, members) => {
    const answer = await proxy.manager.call(method, path, { volume: 'nowhere', ...members });
    expectProblem(answer, 400, {
      type: 'storage/volume/invalid',
      title: 'Invalid Volume',
      error_code: 'storage_access_invalid-parameters',
      msg: expect.stringContaining('nowhere'),
    });
  });

  it.each(['src_volume', 'dst_volume'])('is refused as %s of a clone', async (member) => {
    const body = {
      src_volume: 'local',
      src_vfid: newVFolderId('scoped'),
      dst_volume: 'local',
      dst_vfid: newVFolderId('scoped'),
      [member]: 'nowhere',
    };
    expectProblem(await proxy.manager.call('POST', '/folder/clone', body), 400, {
      type: 'storage/volume/invalid',
    });
  });
});

/** Answers that say nothing of the volume's content need no volume that works. */
const WITHOUT_VOLUME = [
  '/folder/metadata',
  '/folder/file/download',
  '/folder/file/archive-download-token',
];

describe('a volume that is away', () => {
  const operations = OPERATIONS.filter(([, path]) => !WITHOUT_VOLUME.includes(path));

  it.each(operations)('answers 503 without host paths: %s %s', async (method, path, members) => {
    const answer = await proxy.manager.call(method, path, { volume: 'missing', ...members });
    expectProblem(answer, 503, {
      type: 'storage/volume/unavailable',
      error_code: 'storage_access_unavailable',
      msg: expect.stringContaining('missing'),
    });
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
    expect(answer.text).not.toContain(proxy.mount('missing'));
  });

  it.each(['GET', 'DELETE'])('answers 503 for a job that may be its own: %s', async (method) => {
    const answer = await proxy.manager.call(method, `/jobs/${randomUUID()}`);
    expectProblem(answer, 503, {
      type: 'storage/volume/unavailable',
      msg: expect.stringContaining('missing'),
    });
    expect(answer.headers['retry-after']).toMatch(/^\d+$/);
  });
});

describe('the noop volume', () => {
  const answers: readonly (readonly [string, string, number, unknown])[] = [
    ['GET', '/volume/hwinfo', 200, { status: 'healthy', status_info: null, metadata: {} }],
    ['POST', '/quota-scope', 204, {}],
    ['GET', '/quota-scope', 200, { used_bytes: null, limit_bytes: null }],
    ['PATCH', '/quota-scope', 204, {}],
    ['DELETE', '/quota-scope/quota', 204, {}],
    ['POST', '/folder/create', 204, {}],
    ['GET', '/folder/mount', 200, { path: '.' }],
    ['GET', '/folder/usage', 200, { file_count: 0, used_bytes: 0 }],
    ['GET', '/folder/used-bytes', 200, { used_bytes: 0 }],
    ['GET', '/folder/metadata', 200, { status: 'ok' }],
    ['POST', '/folder/metadata', 200, { status: 'ok' }],
    [
      'POST',
      '/folder/file/mkdir',
      200,
      { results: { success: [{ msg: null, item: 'a' }], failed: [] } },
    ],
    ['POST', '/folder/file/list', 200, { items: [], truncated: false }],
    ['POST', '/folder/file/rename', 204, {}],
    ['POST', '/folder/file/move', 204, {}],
    ['POST', '/folder/file/fetch', 200, {}],
    ['POST', '/folder/file/download', 200, { token: expect.any(String) }],
    ['POST', '/folder/file/archive-download-token', 200, { token: expect.any(String) }],
    ['POST', '/folder/file/delete', 200, { status: 'ok' }],
    ['POST', '/folder/delete', 202, { bgtask_id: expect.any(String) }],
    ['POST', '/folder/file/delete-async', 202, { bgtask_id: expect.any(String) }],
  ];

  it.each(answers)('does nothing, and says so: %s %s', async (method, path, status, json) => {
    const [, , members] = OPERATIONS.find(([m, p]) => m === method && p === path)!;
    const answer = await proxy.manager.call(method, path, { volume: 'noop', ...members });
    expect({ status: answer.status, json: answer.json }).toEqual({ status, json });
  });

  it('ends its jobs', async () => {
    const body = { volume: 'noop', vfid: newVFolderId('scoped') };
    const answer = await proxy.manager.expecting(202, 'POST', '/folder/delete', body);
    expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done', error: null });
  });
});
