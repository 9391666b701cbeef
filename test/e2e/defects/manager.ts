import { lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DIALECTS, newVFolderId } from '../../support/ids.js';
import { expectProblem, INVALID_PARAMETERS } from '../../support/problem.js';
import { fileCall, OUTSIDE, textOf, type Rows } from './row.js';

const ARTIFACTS = 'the artifact endpoints (/v1) are not part of this product';

export const MANAGER: Rows = {
  M1: {
    title: 'malformed parameters are 400',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const uuid = '0f0e0d0c-0b0a-4090-8070-605040302010';
      const requests: [string, string, object][] = [
        ...['group:', 'user', ':'].map((start): [string, string, object] => [
          'POST',
          '/folder/create',
          { vfid: `${start}${uuid}/${uuid}` },
        ]),
        ['POST', '/folder/create', { vfid: `user:nonsense/${uuid}` }],
        ['POST', '/folder/create', { vfid: newVFolderId('scoped'), mode: 'rwx' }],
        ['GET', '/quota-scope', { qsid: `group:${uuid}` }],
        ['POST', '/folder/file/mkdir', { vfid: folder.vfid, relpath: '/absolute' }],
        ['POST', '/folder/file/mkdir', { vfid: folder.vfid, relpath: ['fine', '/absolute'] }],
      ];
      for (const [method, path, members] of requests) {
        const answer = await proxy.manager.call(method, path, { volume: 'local', ...members });
        expectProblem(answer, 400, INVALID_PARAMETERS);
      }
    },
  },
  M2: {
    title: 'a body that is malformed or absent is 400',
    async proof(proxy) {
      for (const body of [undefined, Buffer.alloc(0), Buffer.from('{"volume":')]) {
        expectProblem(await proxy.manager.send('POST', '/folder/create', body), 400);
        expectProblem(await proxy.manager.send('GET', '/folder/usage', body), 400);
      }
    },
  },
  M3: {
    title: 'folder/create may be repeated, and does not touch a folder with content',
    async proof(proxy) {
      for (const dialect of DIALECTS) {
        const folder = await proxy.createFolder(dialect);
        await proxy.manager.expecting(204, 'POST', '/folder/create', folder.ref);
        writeFileSync(join(folder.path, 'kept'), '');
        expectProblem(await proxy.manager.call('POST', '/folder/create', folder.ref), 409, {
          error_code: 'vfolder_create_already-exists',
        });
      }
    },
  },
  M4: {
    title: 'rename to a path, or of the folder itself, is 400',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'x'), '');
      for (const [relpath, new_name] of [
        ['x', 'a/b'],
        ['.', 'y'],
      ]) {
        expectProblem(await fileCall(proxy, folder, 'rename', { relpath, new_name }), 400, {
          error_code: expect.stringMatching(/^vfolder_.*_invalid-parameters$/) as string,
        });
      }
    },
  },
  M5: {
    title: 'fetch tells a missing file from an empty one',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'empty'), '');
      const fetched = (relpath: string) => fileCall(proxy, folder, 'fetch', { relpath });
      expect(await fetched('empty')).toMatchObject({ status: 200, text: '' });
      expectProblem(await fetched('missing'), 404, { error_code: 'vfolder_read_not-found' });
    },
  },
  M6: {
    title: 'folder/mount names the subpath it refuses',
    async proof(proxy) {
      const { ref } = await proxy.createFolder('scoped');
      const answer = await proxy.manager.call('GET', '/folder/mount', { ...ref, subpath: '../x' });
      expectProblem(answer, 400, { subpath: '../x', vfid: ref.vfid });
    },
  },
  M7: {
    title: 'POST /folder/metadata can succeed',
    async proof(proxy) {
      const { ref } = await proxy.createFolder('scoped');
      const body = { ...ref, payload: { key: 'value' } };
      const { json } = await proxy.manager.expecting(200, 'POST', '/folder/metadata', body);
      expect(json).toEqual({ status: 'ok' });
    },
  },
  M8: {
    title: 'used-bytes is exact',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'x'), Buffer.alloc(1_234_567));
      const answer = await proxy.manager.call('GET', '/folder/used-bytes', folder.ref);
      expect(answer.json).toEqual({ used_bytes: 1_234_567 });
    },
  },
  M9: {
    title: 'usage counts links as themselves, loops too',
    async proof(proxy) {
      for (const dialect of DIALECTS) {
        const folder = await proxy.createFolder(dialect);
        symlinkSync('loop', join(folder.path, 'loop'));
        const answer = await proxy.manager.call('GET', '/folder/usage', folder.ref);
        expect(answer.json).toEqual({ file_count: 1, used_bytes: 4 });
      }
    },
  },
  M10: {
    title: 'usage of bare ids counts directories, and follows no link to one',
    async proof(proxy) {
      const folder = await proxy.createFolder('bare');
      mkdirSync(join(folder.path, 'd'));
      writeFileSync(join(folder.path, 'd/x'), 'hello');
      symlinkSync('..', join(folder.path, 'd/up'));
      const { size } = lstatSync(join(folder.path, 'd'));
      const answer = await proxy.manager.call('GET', '/folder/usage', folder.ref);
      expect(answer.json).toEqual({ file_count: 3, used_bytes: size + 5 + 2 });
    },
  },
  M11: {
    title: 'one sick volume hides no other',
    async proof(proxy) {
      const { json } = await proxy.manager.expecting(200, 'GET', '/volumes');
      const names = (json['volumes'] as { name: string }[]).map(({ name }) => name);
      expect(names).toContain('local');
      expect(names).not.toContain('missing');
    },
  },
  M12: {
    title: 'a listing that is cut says so',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      for (let index = 0; index <= 20; index++) writeFileSync(join(folder.path, `${index}`), '');
      const { json } = await fileCall(proxy, folder, 'list', { relpath: '.' });
      expect(json['items']).toHaveLength(20);
      expect(json['truncated']).toBe(true);
    },
  },
  M13: {
    title: 'a delete that does nothing to a directory is an error',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      mkdirSync(join(folder.path, 'd'));
      expectProblem(await fileCall(proxy, folder, 'delete', { relpaths: ['d'] }), 400, {
        errno: 21,
        paths: ['d'],
      });
      const missing = await fileCall(proxy, folder, 'delete', { relpaths: ['missing'] });
      expect(missing.status).toBe(200);
    },
  },
  M14: {
    title: 'bare ids: a second delete, an empty list, and a rename without is_dir succeed',
    async proof(proxy) {
      const folder = await proxy.createFolder('bare');
      writeFileSync(join(folder.path, 'x'), 'hello');
      expect((await fileCall(proxy, folder, 'delete', { relpaths: [] })).status).toBe(200);
      const rename = { relpath: 'x', new_name: 'y' };
      expect((await fileCall(proxy, folder, 'rename', rename)).status).toBe(204);
      expect(textOf(join(folder.path, 'y'))).toBe('hello');
      for (let time = 1; time <= 2; time++) {
        await proxy.manager.expecting(204, 'POST', '/folder/delete', folder.ref);
      }
    },
  },
  M15: {
    title: 'every error has a msg, for bare ids as well',
    async proof(proxy) {
      const folder = await proxy.createFolder('bare');
      for (const [operation, members] of [
        ['list', { relpath: 'missing' }],
        ['list', { relpath: '..' }],
        ['list', {}],
        ['mkdir', { relpath: '.' }],
      ] as const) {
        const answer = await fileCall(proxy, folder, operation, members);
        expectProblem(answer, 400, { msg: expect.stringMatching(/\S/) });
      }
      expectProblem(await fileCall(proxy, folder, 'list', { relpath: 'a/../..' }), 400, OUTSIDE);
    },
  },
  M16: {
    title: 'the dead resource-style routes are left out',
    async proof(proxy) {
      expectProblem(await proxy.manager.call('GET', '/volumes/local'), 404);
    },
  },
  M17: { title: 'artifact uploads take one kind of body', notHere: ARTIFACTS },
  M18: { title: 'artifact errors have statuses of their own', notHere: ARTIFACTS },
  M19: {
    title: 'creating a quota scope that exists is 409',
    async proof(proxy) {
      const { vfid } = await proxy.createFolder('scoped');
      const body = { volume: 'local', qsid: vfid.slice(0, vfid.indexOf('/')) };
      expectProblem(await proxy.manager.call('POST', '/quota-scope', body), 409);
    },
  },
  M20: {
    title: 'errors of the framework are JSON as well',
    async proof(proxy) {
      expectProblem(await proxy.manager.call('GET', '/nowhere'), 404);
      expectProblem(await proxy.manager.call('PUT', '/volumes'), 405);
      const large = Buffer.alloc(1024 * 1024 + 1, ' ');
      expectProblem(await proxy.manager.send('POST', '/folder/create', large), 413);
    },
  },
  M21: {
    title: 'an upload that cannot succeed is refused when its token is asked for',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      mkdirSync(join(folder.path, 'd'));
      for (const relpath of ['d', '.', '../x']) {
        expectProblem(await fileCall(proxy, folder, 'upload', { relpath, size: 1 }), 400);
      }
      expect(readdirSync(folder.path)).toEqual(['d']);
    },
  },
};
