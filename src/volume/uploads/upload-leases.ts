/**
 * The right to write one upload, as all proxies of a site see it. It ends by itself some time after the last
 * sign of life of its holder, who has to stop writing before that.
 */
export interface UploadLease {
  /** The offset that proxies agreed on last: so many bytes were durable. `null` when nobody remembers. */
  readonly offset: number | null;
  /** Somebody else may write by now: do not touch the file any more. */
  readonly isLost: boolean;
  /** Called once, when the lease is lost. */
  onLost(listener: () => void): void;
  /** @throws StorageError LOCKED when the lease is lost */
  assertHeld(): Promise<void>;
  /** Makes `offset` the one that is agreed on. @throws StorageError LOCKED when the lease is lost; UNAVAILABLE */
  record(offset: number): Promise<void>;
  /** The same, and gives the lease up. */
  commit(offset: number): Promise<void>;
  /** The upload is finished: nothing has to be remembered. Never rejects. */
  complete(): Promise<void>;
  /** Gives the lease up, if it is still held. Never rejects. */
  release(): Promise<void>;
}

/**
 * What proxies on several hosts agree on about uploads, beyond the files and their locks, which may not reach
 * from host to host. Also the injection token.
 */
export abstract class UploadLeases {
  /** An upload has begun. @throws StorageError UNAVAILABLE */
  abstract announce(session: string): Promise<void>;
  /**
   * Takes the lease. The caller holds the lock of the staging file, so no other process of this host writes.
   *
   * @throws StorageError UNAVAILABLE
   */
  abstract acquire(session: string): Promise<UploadLease | 'held'>;
  /** Asks the holder, wherever it is, to let go. Best effort. */
  abstract askRelease(session: string): void;
  /** Called when somebody asks for an upload that may be held here. */
  abstract onReleaseAsked(handler: (session: string) => void): void;
}

/** A lease where locks of files are all that is needed. */
export const NO_LEASE: UploadLease = {
  offset: null,
  isLost: false,
  onLost: () => undefined,
  assertHeld: async () => undefined,
  record: async () => undefined,
  commit: async () => undefined,
  complete: async () => undefined,
  release: async () => undefined,
};

/** For proxies that share nothing but the filesystem. */
export class NoUploadLeases extends UploadLeases {
  async announce(): Promise<void> {
    // The staging file says it all.
  }

  async acquire(): Promise<UploadLease> {
    return NO_LEASE;
  }

  askRelease(): void {
    // The worker bus reaches all there are.
  }

  onReleaseAsked(): void {
    // Nobody else asks.
  }
}
