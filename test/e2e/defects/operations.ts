import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { newVFolderId, scopePath, vfolderPath } from '../../support/ids.js';
import { AUTH_HEADER } from '../../support/manager-client.js';
import type { Proxy, TestFolder } from '../../support/proxy.js';
import { isThere, textOf, type Rows } from './row.js';

/** The name of a volume that looks like something else. */
export const UUID_VOLUME = '5d6e1a0c-7a1b-4f5e-9c55-0c6a2f9d1e77';

const NO_WATCHER = 'there is no privileged watcher';
const MiB = 1024 * 1024;

const clone = (proxy: Proxy, source: TestFolder, target: string) =>
  proxy.manager.expecting(200, 'POST', '/folder/clone', {
    src_volume: source.ref.volume,
    src_vfid: source.vfid,
    dst_volume: null,
    dst_vfid: target,
  });

export const OPERATIONS: Rows = {
  B1: {
    title: 'a job that is stopped goes on at the next start, and tells its end then',
    suite: ['test/e2e/jobs-crash.e2e-spec.ts', 'pauses at the stop and goes on at the next start'],
  },
  B2: {
    title: 'a clone that is asked for again is one clone, and leaves nothing half-made',
    async proof(proxy) {
      const source = await proxy.createFolder('scoped');
      writeFileSync(join(source.path, 'x'), 'hello');
      const target = newVFolderId('scoped');
      const ids = new Set<unknown>();
      for (let time = 1; time <= 3; time++) {
        const answer = await clone(proxy, source, target);
        ids.add(answer.json['bgtask_id']);
        expect(await proxy.manager.jobEnd(answer)).toMatchObject({ state: 'done' });
      }
      expect(ids.size).toBe(1);
      expect(textOf(join(proxy.mount(), vfolderPath(target), 'x'))).toBe('hello');
      const scope = scopePath(target.slice(0, target.indexOf('/')));
      expect(readdirSync(join(proxy.mount(), scope, '.staging'))).toEqual([]);
    },
  },
  B3: {
    title: 'jobs of a process that does not return are taken over',
    suite: ['test/e2e/jobs-crash.e2e-spec.ts', 'has a job taken over by another worker'],
  },
  B4: {
    title: 'a job is on record as a whole, or not at all',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const answer = await proxy.manager.expecting(202, 'POST', '/folder/delete', folder.ref);
      const id = String(answer.json['bgtask_id']);
      const path = join(proxy.mount(), '.storage-proxy/jobs', `${id}.json`);
      for (let time = 1; time <= 20; time++) {
        if (isThere(path)) expect(() => JSON.parse(textOf(path)) as unknown).not.toThrow();
      }
      await proxy.manager.jobEnd(answer);
    },
  },
  B5: {
    title: 'volumes may be named like a UUID',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped', undefined, UUID_VOLUME);
      const cloned = await clone(proxy, folder, newVFolderId('scoped'));
      expect(await proxy.manager.jobEnd(cloned)).toMatchObject({ state: 'done' });
      const deleted = await proxy.manager.expecting(202, 'POST', '/folder/delete', folder.ref);
      expect(await proxy.manager.jobEnd(deleted)).toMatchObject({ state: 'done' });
      expect(isThere(folder.path)).toBe(false);
    },
  },
  B6: {
    title: 'both planes of a worker share one instance of a volume',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      const token = await proxy.uploadToken(folder, 'x', 1);
      await proxy.patch(token, 0, Buffer.from('x'));
      const opened = proxy.output
        .split('\n')
        .filter((line) => line.includes('A volume is usable') && line.includes('"local"'));
      expect(opened).toHaveLength(1);
    },
  },
  B7: {
    title: 'a health check without an answer counts as unhealthy',
    suite: ['src/health/probe/volume-watch.spec.ts', 'counts a silent prober as a hung volume'],
  },
  B8: { title: 'mounting leaks nothing', notHere: NO_WATCHER },
  B9: { title: 'answers of the watcher are matched by id', notHere: NO_WATCHER },
  B10: {
    title: 'a client that does not read makes nobody buffer a file for it',
    async proof(proxy) {
      const folder = await proxy.createFolder('scoped');
      writeFileSync(join(folder.path, 'sparse'), '');
      truncateSync(join(folder.path, 'sparse'), 512 * MiB);
      const body = JSON.stringify({ ...folder.ref, relpath: 'sparse' });
      const before = workerMemoryBytes(proxy);
      const outgoing = request(`${proxy.manager.origin}/folder/file/fetch`, {
        method: 'POST',
        agent: false,
        headers: { [AUTH_HEADER]: proxy.secret, 'content-length': body.length },
      });
      outgoing.on('error', () => undefined);
      outgoing.end(body);
      await new Promise((resolve) => outgoing.once('response', resolve));
      await sleep(1000);
      expect(workerMemoryBytes(proxy) - before).toBeLessThan(128 * MiB);
      outgoing.destroy();
    },
  },
  B11: {
    title: 'calls that hang on one volume keep no other from working',
    suite: ['src/volume/bulkhead.spec.ts', '(B11)'],
  },
  B12: {
    title: 'trees are walked in threads of their volume',
    suite: ['test/conformance/tree-pool.e2e-spec.ts', 'few with much work'],
  },
  B13: {
    title: 'folders of both generations are served whatever version.txt says',
    async proof(proxy) {
      for (const [volume, marker] of [
        ['local', true],
        ['other', false],
      ] as const) {
        expect(isThere(join(proxy.mount(volume), 'version.txt'))).toBe(marker);
        for (const dialect of ['scoped', 'bare'] as const) {
          const { path, ref } = await proxy.createFolder(dialect, undefined, volume);
          const answer = await proxy.manager.call('GET', '/folder/mount', ref);
          expect(answer.json).toEqual({ path });
        }
      }
    },
  },
};

/** Resident memory of all processes that the primary has started. */
function workerMemoryBytes(proxy: Proxy): number {
  const children = readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, 'utf8');
  const pids = children.trim().split(' ').filter(Boolean);
  const memory = pids.map((pid) => {
    const [, kilobytes] =
      /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  });
  return memory.reduce((sum, bytes) => sum + bytes, 0);
}
