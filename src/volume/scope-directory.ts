import { setTimeout as sleep } from 'node:timers/promises';
import type { Beneath } from '../native/beneath.js';
import { Errno, isErrno } from '../native/errno.js';
import {
  PRIVATE_MODE,
  scopePath,
  STAGING_DIRECTORY,
  stagingPath,
  TRASH_DIRECTORY,
  trashPath,
} from './ids/layout.js';
import type { QuotaScopeId } from './ids/quota-scope-id.js';
import type { Volume } from './volume.js';

/** How long another worker may take between making the directory and finishing the scope. */
const SETTLE_MS = 2_000;
const SETTLE_STEP_MS = 25;
const ROOT = Buffer.from('.');
const OURS = [Buffer.from(TRASH_DIRECTORY), Buffer.from(STAGING_DIRECTORY)];

/**
 * `unfinished`: an empty directory without trash. Somebody is making the scope right now, was cut off
 * while doing so, or the original made it; finishing it is right in each case.
 */
export type ScopePresence = 'missing' | 'unfinished' | 'finished';

/**
 * The directory of a quota scope. Making one takes several steps, and a crash can fall between them: the
 * trash is made last, and its presence says that nothing is left to do.
 */
export class ScopeDirectory {
  readonly #path: Buffer;

  constructor(
    private readonly volume: Volume,
    private readonly root: Beneath,
    private readonly scope: QuotaScopeId,
  ) {
    this.#path = scopePath(scope);
  }

  /** Rejects with SystemError EEXIST when the directory is there; leaves nothing behind when it fails. */
  async make(limitBytes: number | null): Promise<void> {
    const { quota } = this.volume.strategies;
    await this.root.mkdir(this.#path, quota.scopeMode);
    try {
      await this.finish(limitBytes);
    } catch (error) {
      await this.discard();
      throw error;
    }
  }

  /** Whatever `make` does after the directory itself; may be repeated while the scope is empty. */
  async finish(limitBytes: number | null): Promise<void> {
    await this.volume.strategies.quota.initialiseScope(this.#path, limitBytes);
    await this.makePrivateDirectories();
    await this.root.syncDirectory(this.#path);
    await this.root.syncDirectory(ROOT);
  }

  async presence(): Promise<ScopePresence> {
    if (await this.exists(trashPath(this.scope))) return 'finished';
    if (!(await this.exists(this.#path))) return 'missing';
    if (await this.isEmpty()) return 'unfinished';
    // Made by the original, and in use. Have the trash before the quota is full and cannot take it.
    await this.makePrivateDirectories();
    return 'finished';
  }

  /** The presence once nobody can be at work on the scope any more. */
  async settledPresence(): Promise<ScopePresence> {
    const patienceEndsAt = Date.now() + SETTLE_MS;
    for (;;) {
      const presence = await this.presence();
      if (presence !== 'unfinished' || Date.now() >= patienceEndsAt) return presence;
      await sleep(SETTLE_STEP_MS);
    }
  }

  /** Trash and staging are ours and do not count. */
  private async isEmpty(): Promise<boolean> {
    const { trees } = this.volume.strategies;
    const { entries } = await trees.list({ path: this.#path }, Buffer.from('.'), {
      limit: OURS.length + 1,
    });
    return entries.every(({ name }) => OURS.some((ours) => ours.equals(name)));
  }

  private async exists(path: Buffer): Promise<boolean> {
    try {
      await this.root.lstat(path);
      return true;
    } catch (error) {
      if (isErrno(error, Errno.ENOENT)) return false;
      throw error;
    }
  }

  /** Best effort in a full quota: deletion and cloning have ways around. */
  private async makePrivateDirectories(): Promise<void> {
    for (const path of [stagingPath(this.scope), trashPath(this.scope)]) {
      try {
        await this.root.mkdir(path, PRIVATE_MODE);
      } catch (error) {
        if (!isErrno(error, Errno.EEXIST, Errno.EDQUOT, Errno.ENOSPC)) throw error;
      }
    }
  }

  /** Not when there is trash: then the scope is finished, by somebody who found it here meanwhile. */
  private async discard(): Promise<void> {
    const { quota } = this.volume.strategies;
    try {
      if (await this.exists(trashPath(this.scope))) return;
      await this.root.rmdir(stagingPath(this.scope)).catch(ignoreMissing);
      await quota.releaseScope(this.#path);
      await this.root.rmdir(this.#path);
    } catch {
      // The failure that led here is the one to report; an unfinished scope is finished by the next attempt.
    }
  }
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
