import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { newScope, newVFolderId, scopePath, vfolderPath } from '../support/ids.js';
import { expectProblem, INVALID_PARAMETERS } from '../support/problem.js';
import { Proxy } from '../support/proxy.js';

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start({ 'allow-auto-quota-scope-creation': false });
});

afterAll(() => proxy.stop());

const call = (method: string, members: object, path = '/quota-scope') =>
  proxy.manager.call(method, path, { volume: 'local', ...members });
const directory = (qsid: string): string => join(proxy.mount(), scopePath(qsid));

const MISSING = {
  type: 'storage/quota/scope/not-found',
  title: 'Quota Scope Not Found',
  error_code: 'quota-scope_read_not-found',
};

describe('creating a quota scope', () => {
  it.each([
    ['without options', {}],
    ['with null options', { options: null, extra_args: null }],
    ['with a limit', { options: { limit_bytes: 1024 }, extra_args: {} }],
    ['with a limit as text', { options: { limit_bytes: ' 1024 ' } }],
  ])('makes its directory, %s', async (_, members) => {
    const qsid = newScope('project');
    const answer = await call('POST', { qsid, ...members });
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 204, text: '' });
    const stat = statSync(directory(qsid));
    expect(stat.isDirectory()).toBe(true);
    expect(stat.mode & 0o7777).toBe(0o755);
  });

  it('answers 409 with the sentence managers know when it exists', async () => {
    const qsid = newScope();
    await call('POST', { qsid });
    const answer = await call('POST', { qsid });
    expectProblem(answer, 409, {
      msg: 'Volume already exists with given quota scope.',
      error_code: 'quota-scope_create_already-exists',
    });
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  });

  it('takes the id in any letter case and form, and leaves the type out of the path', async () => {
    const qsid = newScope('user');
    const [, uuid = ''] = qsid.split(':');
    await call('POST', { qsid: `USER:${uuid.toUpperCase().replaceAll('-', '')}` });
    expect(existsSync(directory(qsid))).toBe(true);
    expect((await call('GET', { qsid: `project:${uuid}` })).status).toBe(200);
  });
});

describe('describing a quota scope', () => {
  it('knows no numbers on a plain filesystem', async () => {
    const qsid = newScope();
    await call('POST', { qsid, options: { limit_bytes: 4096 } });
    const answer = await call('GET', { qsid });
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({ used_bytes: null, limit_bytes: null });
  });

  it('answers 404 for a missing one, on which managers fall back to policies', async () => {
    expectProblem(await call('GET', { qsid: newScope() }), 404, MISSING);
  });
});

describe('updating a quota scope', () => {
  it('creates a missing one, and may be repeated', async () => {
    const qsid = newScope();
    for (let time = 1; time <= 2; time++) {
      const answer = await call('PATCH', { qsid, options: { limit_bytes: 1_000_000 } });
      expect(answer.status).toBe(204);
    }
    expect(existsSync(directory(qsid))).toBe(true);
  });
});

describe('removing the limit', () => {
  it('keeps the scope and what is in it, and may be repeated', async () => {
    const qsid = newScope();
    await call('POST', { qsid });
    const { path } = await proxy.createFolder('scoped', newVFolderId('scoped', qsid));
    for (let time = 1; time <= 2; time++) {
      expect((await call('DELETE', { qsid }, '/quota-scope/quota')).status).toBe(204);
    }
    expect(existsSync(path)).toBe(true);
  });

  it('answers 404 for a missing scope', async () => {
    expectProblem(await call('DELETE', { qsid: newScope() }, '/quota-scope/quota'), 404, MISSING);
  });
});

describe('parameters', () => {
  const UUID = '5d6e1a0c-7a1b-4f5e-9c55-0c6a2f9d1e77';

  it.each([
    '',
    UUID,
    `group:${UUID}`,
    `user:`,
    `user:${UUID}0`,
    `user:${UUID}/x`,
    `user/${UUID}`,
    `user:../../../../etc`,
    ` user:${UUID}`,
    7,
    null,
  ])('refuse the scope %j', async (qsid) => {
    for (const [method, path] of [
      ['GET', '/quota-scope'],
      ['POST', '/quota-scope'],
      ['DELETE', '/quota-scope/quota'],
    ] as const) {
      expectProblem(await call(method, { qsid }, path), 400, {
        ...INVALID_PARAMETERS,
        error_code: 'vfolder_request_invalid-parameters',
        data: { qsid: expect.any(String) },
      });
    }
  });

  it.each([
    [undefined, { options: 'is required' }],
    [null, { options: expect.any(String) }],
    ['10g', { options: 'value is not a dict' }],
    [{}, { options: { limit_bytes: 'is required' } }],
    [{ limit_bytes: 'x' }, { options: { limit_bytes: expect.any(String) } }],
    [{ limit_bytes: 1.5 }, { options: { limit_bytes: expect.any(String) } }],
    [{ limit_bytes: true }, { options: { limit_bytes: expect.any(String) } }],
    [{ limit_bytes: 1, color: 1 }, { options: { color: 'color is not allowed key' } }],
  ])('refuse the options %j of an update', async (options, data) => {
    const qsid = newScope();
    expectProblem(await call('PATCH', { qsid, options }), 400, { ...INVALID_PARAMETERS, data });
    expect(existsSync(directory(qsid))).toBe(false);
  });

  it('refuse a negative limit', async () => {
    const answer = await call('PATCH', { qsid: newScope(), options: { limit_bytes: -1 } });
    expectProblem(answer, 400);
  });
});

describe('without allow-auto-quota-scope-creation', () => {
  it('folder/create answers 404 and makes nothing', async () => {
    const vfid = newVFolderId('scoped');
    const before = readdirSync(proxy.mount());
    const answer = await proxy.manager.call('POST', '/folder/create', { volume: 'local', vfid });
    expectProblem(answer, 404, MISSING);
    expect(readdirSync(proxy.mount())).toEqual(before);
    expect(existsSync(join(proxy.mount(), vfolderPath(vfid)))).toBe(false);
  });

  it('folder/create works once the scope is there', async () => {
    const qsid = newScope();
    await call('PATCH', { qsid, options: { limit_bytes: 1_000_000 } });
    const { path } = await proxy.createFolder('scoped', newVFolderId('scoped', qsid));
    expect(existsSync(path)).toBe(true);
  });
});
