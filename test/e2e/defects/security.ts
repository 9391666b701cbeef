import {
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { send } from '../../support/http.js';
import { newVFolderId, vfolderPath } from '../../support/ids.js';
import { AUTH_HEADER } from '../../support/manager-client.js';
import { expectProblem } from '../../support/problem.js';
import { inSeconds } from '../../support/tokens.js';
import { download, fileCall, isThere, namesInZip, OUTSIDE, textOf, type Rows } from './row.js';

const NO_WATCHER = 'there is no privileged watcher: nothing runs as root on request';
const HELLO = Buffer.from('hello');

export const SECURITY: Rows = {
  S1: {
    title: 'an upload stays inside, when its token is made and when it is completed',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const outside = dirname(proxy.outside('s1'));
      symlinkSync(outside, join(folder.path, 'out'));
      for (const relpath of ['../x', 'a/../../x', 'out/x']) {
        expectProblem(await fileCall(proxy, folder, 'upload', { relpath, size: 5 }), 400, OUTSIDE);
      }
      const token = await proxy.uploadToken(folder, 'later/x', 5);
      symlinkSync(outside, join(folder.path, 'later'));
      expectProblem(await proxy.patch(token, 0, HELLO), 400, OUTSIDE);
      expect(readdirSync(outside)).not.toContain('x');
    },
  },
  S2: {
    title: 'dst_dir is confined like the path, and still leads to sub-directories',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const outside = dirname(proxy.outside('s2'));
      symlinkSync(outside, join(folder.path, 'out'));
      for (const directory of ['..', '../..', outside, 'out']) {
        const token = await proxy.uploadToken(folder, 'x', 5);
        const answer = await proxy.patch(token, 0, HELLO, directory);
        expectProblem(answer, 400);
        const dst = { dst_dir: directory };
        expect(
          (await download(proxy, await proxy.downloadToken(folder, 's2'), dst)).status,
        ).not.toBe(200);
      }
      expect(readdirSync(outside)).not.toContain('x');
      const token = await proxy.uploadToken(folder, 'x', 5);
      expect((await proxy.patch(token, 0, HELLO, 'a/b')).status).toBe(204);
      expect(textOf(join(folder.path, 'a/b/x'))).toBe('hello');
    },
  },
  S3: {
    title: 'archives do not follow links out of the folder',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const secret = proxy.outside('s3', 'a secret of the host');
      mkdirSync(join(folder.path, 'd'));
      writeFileSync(join(folder.path, 'd/kept'), 'kept');
      symlinkSync(secret, join(folder.path, 'd/file'));
      symlinkSync(dirname(secret), join(folder.path, 'd/directory'));
      const token = await proxy.downloadToken(folder, 'd');
      const answer = await download(proxy, token, { archive: 'true' });
      expect(answer.status).toBe(200);
      expect(namesInZip(answer)).toEqual(['kept']);
      expect(answer.text).not.toContain('secret');
    },
  },
  S4: {
    title: 'a download is the file itself, never its .gz or .br sibling',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      for (const name of ['f', 'f.gz', 'f.br']) writeFileSync(join(folder.path, name), name);
      const token = await proxy.downloadToken(folder, 'f');
      const answer = await download(proxy, token, {}, { 'accept-encoding': 'gzip, br' });
      expect(answer.text).toBe('f');
      expect(answer.headers).not.toHaveProperty('content-encoding');
    },
  },
  S5: {
    title: 'directories that are swapped for links while requests run lead nowhere',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const outside = dirname(proxy.outside('s5', 'a secret of the host'));
      const [real, link, name] = ['real', 'link', 'd'].map((part) => join(folder.path, part));
      mkdirSync(real!);
      writeFileSync(join(real!, 's5'), 'own');
      symlinkSync(outside, link!);
      renameSync(real!, name!);
      const token = await proxy.downloadToken(folder, 'd/s5');
      const answers: string[] = [];
      for (let round = 0; round < 20; round++) {
        const asked = [
          fileCall(proxy, folder, 'fetch', { relpath: 'd/s5' }),
          download(proxy, token),
          fileCall(proxy, folder, 'mkdir', { relpath: `d/new${round}` }),
        ];
        renameSync(name!, real!);
        renameSync(link!, name!);
        asked.push(fileCall(proxy, folder, 'fetch', { relpath: 'd/s5' }));
        answers.push(...(await Promise.all(asked)).map(({ text }) => text));
        renameSync(name!, link!);
        renameSync(real!, name!);
      }
      expect(answers.filter((text) => text.includes('secret'))).toEqual([]);
      expect(readdirSync(outside).filter((entry) => entry.startsWith('new'))).toEqual([]);
    },
  },
  S6: {
    title: 'deleting a link deletes the link, wherever it leads',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const outside = proxy.outside('s6');
      writeFileSync(join(folder.path, 'target'), 'kept');
      const links = { inside: 'target', outside, dangling: 'nowhere' };
      for (const [name, target] of Object.entries(links))
        symlinkSync(target, join(folder.path, name));
      const relpaths = Object.keys(links);
      const answer = await fileCall(proxy, folder, 'delete', { relpaths, recursive: true });
      expect(answer.json).toEqual({ status: 'ok' });
      expect(readdirSync(folder.path)).toEqual(['target']);
      expect(isThere(outside)).toBe(true);
    },
  },
  S7: {
    title: 'a recursive delete cannot take the folder itself',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      mkdirSync(join(folder.path, 'c'));
      for (const path of ['.', '', 'c/..', './c/../.']) {
        const members = { relpaths: [path], recursive: true };
        expectProblem(await fileCall(proxy, folder, 'delete', members), 400, OUTSIDE);
      }
      expect(readdirSync(folder.path)).toEqual(['c']);
    },
  },
  S8: {
    title: 'clones hold links as links, dangling ones too',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const secret = proxy.outside('s8');
      symlinkSync(secret, join(folder.path, 'out'));
      symlinkSync('nowhere', join(folder.path, 'dangling'));
      const target = newVFolderId('scoped');
      const answer = await proxy.manager.expecting(200, 'POST', '/folder/clone', {
        src_volume: 'local',
        src_vfid: folder.vfid,
        dst_volume: null,
        dst_vfid: target,
      });
      expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done' });
      const clone = join(proxy.mount(), vfolderPath(target));
      const links = ['out', 'dangling'].map((name) => readlinkSync(join(clone, name)));
      expect(links).toEqual([secret, 'nowhere']);
    },
  },
  S9: {
    title: 'secrets are compared as a whole: how much of a guess is right makes no difference',
    async proof(proxy) {
      const { secret } = proxy;
      const answers = [];
      for (const guess of ['x', secret.slice(0, -1), `${secret}x`, secret.replace(/.$/, '!')]) {
        const headers = { [AUTH_HEADER]: guess };
        const { status, text } = await send('GET', `${proxy.manager.origin}/volumes`, headers);
        answers.push(`${status} ${text}`);
      }
      expect(new Set(answers).size).toBe(1);
      expect(answers[0]).toMatch(/^403 /);
    },
  },
  S10: {
    title: 'max-upload-size and the declared size are enforced',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const size = 64 * 1024 * 1024 + 1;
      expectProblem(await fileCall(proxy, folder, 'upload', { relpath: 'x', size }), 400);
      const token = await proxy.uploadToken(folder, 'x', 5);
      expectProblem(await proxy.patch(token, 0, Buffer.from('hello and more')), 413);
      const head = await proxy.client('HEAD', '/upload', { token });
      expect(Number(head.headers['upload-offset'])).toBeLessThanOrEqual(5);
      expect(isThere(join(folder.path, 'x'))).toBe(false);
    },
  },
  S11: {
    title: 'uploads that were given up are swept',
    suite: [
      'src/volume/uploads/sweep-uploads.spec.ts',
      'removes abandoned uploads and old markers',
    ],
  },
  S12: {
    title: 'the internal listener is on loopback unless told otherwise',
    async proof() {
      expect(textOf('config/sample.toml')).toContain('internal-addr = "127.0.0.1:16023"');
    },
  },
  S13: {
    title: 'certificates of vendor APIs are verified',
    notHere: 'no backend of this release calls a vendor API',
  },
  S14: {
    title: 'errors of files name paths inside the folder alone',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      mkdirSync(join(folder.path, 'd'));
      const answers = [
        await fileCall(proxy, folder, 'move', { src_relpath: 'd', dst_relpath: 'd/e' }),
        await fileCall(proxy, folder, 'move', { src_relpath: 'missing', dst_relpath: 'x' }),
        await fileCall(proxy, folder, 'list', { relpath: 'missing' }),
        await fileCall(proxy, folder, 'mkdir', { relpath: ['d'] }),
        await fileCall(proxy, folder, 'fetch', { relpath: 'd' }),
      ];
      rmSync(folder.path, { recursive: true });
      answers.push(await fileCall(proxy, folder, 'list', { relpath: '.' }));
      for (const { status, text } of answers) {
        expect(status).toBeGreaterThanOrEqual(400);
        expect(text).not.toContain(proxy.mount());
      }
    },
  },
  S15: { title: 'watcher sockets are authenticated', notHere: NO_WATCHER },
  S16: { title: 'deletion as root cannot be led astray', notHere: NO_WATCHER },
  S17: {
    title: 'tokens do not appear in logs',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const token = await proxy.downloadToken(folder, 'missing');
      expect((await download(proxy, token)).status).toBe(404);
      const [, claims = '', signature = ''] = token.split('.');
      await sleep(200);
      for (const part of [token, claims, signature]) expect(proxy.output).not.toContain(part);
    },
  },
  S18: {
    title: 'unmanaged_path reaches nothing that is not configured',
    async proof(proxy) {
      const secret = proxy.outside('s18');
      const claims = { op: 'download', volume: 'noop', vfid: newVFolderId('scoped') };
      const more = { relpath: 's18', unmanaged_path: dirname(secret), exp: inSeconds(60) };
      const answer = await download(proxy, proxy.sign({ ...claims, ...more }));
      expectProblem(answer, 400);
    },
  },
};
