import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

interface Rig {
  readonly mounts: Readonly<Record<MountName, string>>;
  /** Of the cluster: keyrings of its clients, and a place for more mounts. */
  readonly directory: string;
  readonly configFile: string;
  readonly keyring: string;
  readonly pids: Readonly<Record<DaemonName, number>>;
}

/**
 * `a` and `b` are two clients that may set quotas, `operator` may also make snapshots, and `restricted` may not set
 * quotas. None may come to harm: for that a test has a client of its own.
 */
export type MountName = 'a' | 'b' | 'operator' | 'restricted';
export type DaemonName = 'mds.m' | 'osd.0';

/** What test/rigs/ceph has set up. */
export const rig = JSON.parse(process.env['STORAGE_PROXY_TEST_CEPH'] ?? '{}') as Rig;

/** A directory of a test's own on the filesystem, reachable by every mount. */
export class CephDirectory {
  readonly name = `test-${process.pid}-${Math.random().toString(36).slice(2)}`;

  constructor() {
    fs.mkdirSync(this.on('operator'));
  }

  on(mount: MountName, ...below: string[]): string {
    return path.join(rig.mounts[mount], this.name, ...below);
  }

  /** By the client that has filled it: another would have to wait for what that one has cached. */
  async remove(mount: MountName = 'operator'): Promise<void> {
    // What another client has just removed can be stale to this one for a moment.
    for (let attempts = 5; ; attempts--) {
      try {
        return await fs.promises.rm(this.on(mount), { recursive: true, force: true });
      } catch (error) {
        if (attempts === 1) throw error;
        await sleep(200);
      }
    }
  }
}

/** The output of a `ceph` command. */
export function ceph(...args: string[]): string {
  const access = ['-c', rig.configFile, '-k', rig.keyring];
  return execFileSync('ceph', [...access, ...args], { encoding: 'utf8', stdio: 'pipe' });
}

/** An extended attribute, as an operator would read it; `undefined` when there is none. */
export function attribute(file: string, name: string): string | undefined {
  try {
    const args = ['--only-values', '--absolute-names', '-n', name, file];
    return execFileSync('getfattr', args, { encoding: 'utf8', stdio: 'pipe' });
  } catch {
    return undefined;
  }
}

/** Stops a daemon for as long as `work` takes: it answers nobody, and loses nothing. */
export async function withStopped<T>(daemon: DaemonName, work: () => Promise<T>): Promise<T> {
  process.kill(rig.pids[daemon], 'SIGSTOP');
  try {
    return await work();
  } finally {
    process.kill(rig.pids[daemon], 'SIGCONT');
  }
}
