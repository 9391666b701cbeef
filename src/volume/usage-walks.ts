import type { TreeUsage } from '../backend/contract/tree-operations.js';
import { StorageError } from '../errors/storage-error.js';
import { UPLOAD_DIRECTORY } from './ids/layout.js';
import type { VFolderId } from './ids/vfolder-id.js';
import type { Volume } from './volume.js';

/** Bytes that are on their way are no content yet, and some never will be. */
const UPLOADS = Buffer.from(UPLOAD_DIRECTORY);

/**
 * Walks over whole vfolders for their usage. They run on the volume's own threads and take minutes for
 * millions of entries, so those who ask for the same vfolder while a walk is under way share it.
 */
export class UsageWalks {
  readonly #walks = new Map<string, Promise<TreeUsage>>();

  constructor(private readonly deadlineMs: number) {}

  /** Rejects with SystemError when the vfolder is missing, with StorageError UNAVAILABLE after the deadline, and when the volume hangs. */
  async walk(volume: Volume, id: VFolderId): Promise<TreeUsage> {
    const key = `${volume.name}/${id.folder}/${id.scope?.pathname ?? ''}`;
    const running = this.#walks.get(key);
    if (running) return await running;
    const walk = this.start(volume, id).finally(() => this.#walks.delete(key));
    this.#walks.set(key, walk);
    return await walk;
  }

  private async start(volume: Volume, id: VFolderId): Promise<TreeUsage> {
    const { trees } = volume.strategies;
    const tooLate = new StorageError(
      'UNAVAILABLE',
      `volume "${volume.name}" did not finish within ${this.deadlineMs / 1000} s (folder.usage)`,
      { subject: 'volume', volume: volume.name },
    );
    const stop = new AbortController();
    // A thread that hangs in a system call does not see the signal, hence the race.
    let giveUp: (reason: StorageError) => void = () => undefined;
    const givenUp = new Promise<never>((_, reject) => {
      giveUp = (reason) => {
        stop.abort(reason);
        reject(reason);
      };
    });
    const timer = setTimeout(() => giveUp(tooLate), this.deadlineMs);
    const stopListening = volume.onHung(giveUp);
    try {
      return await Promise.race([
        trees.usage(volume.locate(id), { signal: stop.signal, omit: [UPLOADS] }),
        givenUp,
      ]);
    } finally {
      clearTimeout(timer);
      stopListening();
    }
  }
}
