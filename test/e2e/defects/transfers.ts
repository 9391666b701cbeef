import { chmodSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { begin } from '../../support/http.js';
import { newVFolderId } from '../../support/ids.js';
import { expectProblem } from '../../support/problem.js';
import type { ClientRequest } from 'node:http';
import type { Proxy } from '../../support/proxy.js';
import { inSeconds } from '../../support/tokens.js';
import { download, entriesOfZip, fileCall, isThere, namesInZip, textOf, type Rows } from './row.js';

const NO_VALKEY = 'no Valkey in this release: offsets and locks are on the volume';
const HELLO = Buffer.from('hello');

const offsetOf = async (proxy: Proxy, token: string): Promise<number> =>
  Number((await proxy.client('HEAD', '/upload', { token })).headers['upload-offset']);

/** Sends the start of a body, and then nothing more. */
async function stall(proxy: Proxy, token: string, bytes: string): Promise<ClientRequest> {
  const url = `${proxy.clientOrigin}/upload?${new URLSearchParams({ token }).toString()}`;
  const outgoing = begin('PATCH', url, { 'upload-offset': 0, 'content-length': 1000 });
  outgoing.on('error', () => undefined);
  outgoing.write(bytes);
  // Once HEAD has asked the request to let go, what arrived is kept; so it must have arrived.
  await new Promise((resolve) => outgoing.once('socket', resolve));
  await sleep(500);
  return outgoing;
}

export const UPLOADS: Rows = {
  U1: {
    title: 'Upload-Offset is checked in both generations',
    async proof(proxy) {
      for (const dialect of ['scoped', 'bare'] as const) {
        const folder = await proxy.createFolder(dialect);
        const token = await proxy.uploadToken(folder, 'x', 10);
        expect((await proxy.patch(token, 0, HELLO)).status).toBe(204);
        expectProblem(await proxy.patch(token, 0, HELLO), 409);
        expect((await proxy.patch(token, 5, Buffer.from('there'))).status).toBe(204);
        expect(textOf(join(folder.path, 'x'))).toBe('hellothere');
      }
    },
  },
  U2: {
    title: 'an upload that HEAD calls complete is in place',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const token = await proxy.uploadToken(folder, 'x', 5);
      await proxy.patch(token, 0, HELLO);
      expect(await offsetOf(proxy, token)).toBe(5);
      expect(textOf(join(folder.path, 'x'))).toBe('hello');
      expect((await proxy.patch(token, 5, Buffer.alloc(0))).status).toBe(204);
    },
  },
  U3: {
    title: 'bytes of a PATCH that breaks off are kept',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const token = await proxy.uploadToken(folder, 'x', 1000);
      (await stall(proxy, token, 'the start')).destroy();
      expect(await offsetOf(proxy, token)).toBe(9);
    },
  },
  U4: {
    title: 'empty files can be uploaded',
    async proof(proxy) {
      for (const dialect of ['scoped', 'bare'] as const) {
        const folder = await proxy.createFolder(dialect);
        await proxy.uploadToken(folder, 'empty', 0);
        expect(textOf(join(folder.path, 'empty'))).toBe('');
      }
    },
  },
  U5: { title: 'nobody prolongs the lease of somebody else', notHere: NO_VALKEY },
  U6: {
    title: 'what is uploaded replaces a file as a whole, and is durable',
    suite: ['src/volume/uploads/recovery.spec.ts', 'a failed sync is final'],
  },
  U7: {
    title: 'an upload to a folder that is missing is 404',
    async proof(proxy) {
      for (const dialect of ['scoped', 'bare'] as const) {
        const ref = { volume: 'local', vfid: newVFolderId(dialect) };
        const body = { ...ref, relpath: 'x', size: 5 };
        expectProblem(await proxy.manager.call('POST', '/folder/file/upload', body), 404, {
          error_code: 'vfolder_read_not-found',
        });
      }
    },
  },
  U8: {
    title: 'errors of uploads can be read by pages of other origins',
    async proof(proxy) {
      for (const token of ['', 'nonsense']) {
        for (const method of ['HEAD', 'PATCH', 'POST', 'DELETE']) {
          const { status, headers } = await proxy.client(method, '/upload', { token });
          expect(status).toBeGreaterThanOrEqual(400);
          expect(headers['access-control-allow-origin']).toBe('*');
        }
      }
    },
  },
  U9: { title: 'a finished upload leaves no key behind', notHere: NO_VALKEY },
  U10: {
    title: 'uploads to noop have a session of their own',
    async proof(proxy) {
      const body = { volume: 'noop', vfid: newVFolderId('scoped'), relpath: 'x', size: 5 };
      const { json } = await proxy.manager.expecting(200, 'POST', '/folder/file/upload', body);
      expect(proxy.read(json['token']).claims['session']).toMatch(/^[0-9a-f]{32}$/);
    },
  },
  U11: {
    title: 'a client that comes back is not told 409 because of its own broken connection',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const token = await proxy.uploadToken(folder, 'x', 10);
      const standing = await stall(proxy, token, 'hello');
      const offset = await offsetOf(proxy, token);
      const rest = Buffer.from('hellothere'.slice(offset));
      expect((await proxy.patch(token, offset, rest)).status).toBe(204);
      standing.destroy();
      expect(textOf(join(folder.path, 'x'))).toBe('hellothere');
    },
  },
};

export const DOWNLOADS: Rows = {
  D1: {
    title: 'archives of what cannot be read come to an end',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'readable'), 'x');
      writeFileSync(join(folder.path, 'unreadable'), 'x');
      chmodSync(join(folder.path, 'unreadable'), 0);
      symlinkSync('nowhere', join(folder.path, 'dangling'));
      symlinkSync('loop', join(folder.path, 'loop'));
      const token = await proxy.downloadToken(folder, '.');
      // A real error cuts the connection, which is an end as well.
      const answer = await download(proxy, token, { archive: 'true' }).catch(() => undefined);
      if (answer) expect(namesInZip(answer)).toContain('readable');
    },
  },
  D2: {
    title: 'archives beyond 65,535 entries and 4 GiB are ZIP64',
    suite: ['test/e2e/client-archives.e2e-spec.ts', 'makes archives over 4 GiB'],
  },
  D3: {
    title: 'archives are sent while the tree is walked',
    suite: ['src/volume/archives/write-archive.spec.ts', 'stops reading while nobody takes'],
  },
  D4: {
    title: 'what is compressed already is stored as it is',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      for (const name of ['plain.txt', 'packed.gz']) {
        writeFileSync(join(folder.path, name), Buffer.alloc(100_000, 'repeated '));
      }
      const token = await proxy.downloadToken(folder, '.');
      const answer = await download(proxy, token, { archive: 'true' });
      const methods = Object.fromEntries(
        entriesOfZip(answer).map(({ name, method }) => [name, method]),
      );
      expect(methods).toEqual({ 'plain.txt': 8, 'packed.gz': 0 });
    },
  },
  D5: {
    title: 'HEAD /download answers like GET',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'x'), 'hello');
      utimesSync(join(folder.path, 'x'), 1_772_330_584, 1_772_330_584);
      const token = await proxy.downloadToken(folder, 'x');
      const answer = await proxy.client('HEAD', '/download', { token });
      expect(answer).toMatchObject({
        status: 200,
        headers: { 'content-length': '5', 'last-modified': 'Sun, 01 Mar 2026 02:03:04 GMT' },
        text: '',
      });
    },
  },
  D6: {
    title: '416 is an error like others, without the headers of an attachment',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'x'), 'hello');
      const token = await proxy.downloadToken(folder, 'x');
      const answer = await download(proxy, token, {}, { range: 'bytes=9-' });
      expectProblem(answer, 416);
      expect(answer.headers['content-range']).toBe('bytes */5');
      expect(answer.headers).not.toHaveProperty('content-disposition');
      expect(answer.headers).not.toHaveProperty('transfer-encoding');
    },
  },
  D7: {
    title: 'a download whose file has changed starts over',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'x'), 'hello');
      const token = await proxy.downloadToken(folder, 'x');
      const { etag = '' } = (await download(proxy, token)).headers;
      const resume = { range: 'bytes=2-', 'if-range': etag };
      expect((await download(proxy, token, {}, resume)).status).toBe(206);
      writeFileSync(join(folder.path, 'x'), 'other');
      utimesSync(join(folder.path, 'x'), 1, 1);
      expect(await download(proxy, token, {}, resume)).toMatchObject({
        status: 200,
        text: 'other',
      });
    },
  },
  D8: {
    title: 'files are downloaded whatever their name is',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      for (const name of ['new\nline', 'b\udcff', 'quo"te', '이름']) {
        const raw = name === 'b\udcff' ? Buffer.from([0x62, 0xff]) : Buffer.from(name);
        writeFileSync(Buffer.concat([Buffer.from(`${folder.path}/`), raw]), 'content');
        const answer = await download(proxy, await proxy.downloadToken(folder, name));
        expect({ name, status: answer.status, text: answer.text }).toEqual({
          name,
          status: 200,
          text: 'content',
        });
      }
    },
  },
  D9: {
    title: 'what is no regular file is refused in proper shape, in both generations',
    async proof(proxy) {
      for (const dialect of ['scoped', 'bare'] as const) {
        const folder = await proxy.createFolder(dialect);
        expectProblem(await download(proxy, await proxy.downloadToken(folder, '.')), 400, {
          type: 'storage/invalid-api-params',
          msg: 'The file is not a regular file.',
        });
      }
    },
  },
  D10: {
    title: 'archive and unmanaged_path reach the token',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const body = { relpath: 'x', archive: true };
      const { json } = await fileCall(proxy, folder, 'download', body);
      expect(proxy.read(json['token']).claims['archive']).toBe(true);
      const unmanaged = { relpath: 'x', unmanaged_path: '/not/configured' };
      expectProblem(await fileCall(proxy, folder, 'download', unmanaged), 400);
    },
  },
  D11: {
    title: 'a file that is missing from an archive is 404 in JSON',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const token = proxy.sign({
        operation: 'download',
        volume: 'local',
        virtual_folder_id: folder.vfid,
        files: ['missing'],
        filename: null,
        exp: inSeconds(60),
      });
      const answer = await proxy.client('GET', '/download-archive', { token });
      expectProblem(answer, 404, { error_code: 'vfolder_read_not-found' });
    },
  },
  D12: {
    title: 'large content comes whole, by fetch and by archive',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const content = Buffer.alloc(3 * 1024 * 1024 + 1, 'content ');
      mkdirSync(join(folder.path, 'd'));
      writeFileSync(join(folder.path, 'd/large'), content);
      const fetched = await fileCall(proxy, folder, 'fetch', { relpath: 'd/large' });
      expect(fetched.bytes.equals(content)).toBe(true);
      const token = await proxy.downloadToken(folder, 'd');
      expect(namesInZip(await download(proxy, token, { archive: 'true' }))).toEqual(['large']);
      expect(isThere(join(folder.path, '.upload'))).toBe(false);
      expect(readdirSync(folder.path)).toEqual(['d']);
    },
  },
};
