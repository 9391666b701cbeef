import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sync } from '../../native/calls.js';
import { LOCK_EX } from '../../native/constants.js';

const RUN = '/run';
const PREFIX = 'storage-proxy-serve-';
/** As mkdtemp(3) makes them. */
const OURS = /^storage-proxy-serve-[A-Za-z0-9]{6}$/;
/** Others may pass, not look: the workers are others. Nor can they open it to hold its lock. */
const PASSABLE = 0o711;

/**
 * Where an agent listens that only one `serve` uses: a directory whose lock ends with this process, however it ends, so
 * that the next one can tell what was left behind.
 */
export class PrivateSocket {
  readonly #directory: string;
  readonly #lock: number;

  constructor(parent: string = isWritable(RUN) ? RUN : tmpdir()) {
    sweep(parent);
    ({ directory: this.#directory, lock: this.#lock } = makeLocked(parent));
  }

  get path(): string {
    return join(this.#directory, 'agent.sock');
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
    closeSync(this.#lock);
  }
}

/** Removes the directories of those that were killed. What cannot be looked at or removed is not ours to mind. */
function sweep(parent: string): void {
  for (const name of readdirSync(parent)) {
    if (OURS.test(name)) removeIfLeft(join(parent, name));
  }
}

function removeIfLeft(directory: string): void {
  let lock: number | undefined;
  try {
    lock = openForLock(directory);
    if (fstatSync(lock).uid !== process.geteuid?.() || !sync.flock(lock, LOCK_EX)) return;
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // Somebody else's, or gone meanwhile.
  } finally {
    if (lock !== undefined) closeSync(lock);
  }
}

/** Between making it and locking it, another process that starts may have taken it for one that was left. */
function makeLocked(parent: string): { directory: string; lock: number } {
  for (;;) {
    const directory = mkdtempSync(join(parent, PREFIX));
    const lock = openMade(directory);
    if (lock === undefined) continue;
    if (sync.flock(lock, LOCK_EX) && isStillThere(directory, lock)) return { directory, lock };
    closeSync(lock);
  }
}

/** `undefined` when it has been removed already. */
function openMade(directory: string): number | undefined {
  try {
    chmodSync(directory, PASSABLE);
    return openForLock(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isStillThere(directory: string, lock: number): boolean {
  const there = statSync(directory, { throwIfNoEntry: false });
  return there !== undefined && there.ino === fstatSync(lock).ino;
}

/** Node opens it so that no child inherits it. */
function openForLock(directory: string): number {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  return openSync(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
