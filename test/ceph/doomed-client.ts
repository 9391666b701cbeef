import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ceph, rig } from './rig.js';

const START_MS = 60_000;

interface Session {
  readonly id: number;
  readonly client_metadata: { readonly mount_point?: string };
}

/** A ceph-fuse of a test's own, which may come to harm: a client that may set quotas. */
export class DoomedClient {
  readonly mountPoint = fs.mkdtempSync(path.join(rig.directory, 'doomed-'));
  #process: ChildProcess | undefined;

  async mount(): Promise<void> {
    const { directory, configFile } = rig;
    // Dies with the test, whatever becomes of that.
    this.#process = spawn(
      'setpriv',
      [
        '--pdeathsig',
        'KILL',
        'ceph-fuse',
        '-f',
        '--id=proxy',
        `--conf=${configFile}`,
        `--keyring=${directory}/proxy.keyring`,
        `--pid_file=${this.mountPoint}.pid`,
        this.mountPoint,
      ],
      { stdio: 'ignore' },
    );
    const deadline = Date.now() + START_MS;
    while (!this.#isMounted()) {
      if (this.#hasEnded() || Date.now() > deadline) throw new Error('ceph-fuse does not mount');
      await sleep(50);
    }
  }

  /** By the cluster, as it does with clients that do not answer: its session ends, and it is blocklisted. */
  evict(): void {
    const sessions = JSON.parse(ceph('tell', 'mds.m', 'client', 'ls')) as Session[];
    const own = sessions.find(({ client_metadata: of }) => of.mount_point === this.mountPoint);
    if (!own) throw new Error(`no client is mounted at ${this.mountPoint}`);
    ceph('tell', 'mds.m', 'client', 'evict', `id=${own.id}`);
  }

  /** Ends its process; the mount stays. */
  async kill(): Promise<void> {
    if (!this.#process || this.#hasEnded()) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }

  /** As an operator does with a mount that is dead. */
  async unmount(): Promise<void> {
    execFileSync('umount', ['-l', this.mountPoint]);
    await this.kill();
  }

  async dispose(): Promise<void> {
    // Fails when it is not mounted.
    spawnSync('umount', ['-l', this.mountPoint]);
    await this.kill();
    fs.rmdirSync(this.mountPoint);
  }

  #isMounted(): boolean {
    const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
    return mounts.some((line) => line.split(' ')[4] === this.mountPoint);
  }

  #hasEnded(): boolean {
    return this.#process?.exitCode !== null || this.#process.signalCode !== null;
  }
}
