import { StorageError } from '../../errors/storage-error.js';
import { countLimitReached } from '../../observability/metrics.js';
import type { TransferLimits } from './transfer-limits.js';

/** What a transfer counts towards. */
export interface TransferKind {
  /** Absent for requests that move no content. */
  readonly volume?: string;
  /** Fingerprint of the token. */
  readonly token: string;
}

/** Gives the slot back; may be called again. */
export type Release = () => void;

/**
 * How many transfers run at a time, by token and by volume, in this worker. Downloads that are too many are refused:
 * whoever downloads can come back. Uploads wait for their turn, in order: clients of the original give a file up
 * when they are told to.
 */
export class TransferSlots {
  readonly #byToken = new Counts();
  readonly #byVolume = new Counts();
  /** In order of arrival; each is told whenever something has ended, and says whether it went in. */
  readonly #waiting = new Set<() => void>();

  constructor(
    private readonly limits: Pick<TransferLimits, 'perToken' | 'perVolume' | 'uploadWaitMs'>,
  ) {}

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @throws StorageError RATE_LIMITED for the token, UNAVAILABLE for the volume */
  enter(kind: TransferKind): Release {
    const full = this.full(kind);
    if (full === undefined) return this.take(kind);
    this.count(full);
    throw this.refusal(full, kind);
  }

  /**
   * @param signal ends the waiting, with the signal's reason
   * @throws StorageError as `enter`, after the wait
   */
  async enterInTurn(kind: TransferKind, signal: AbortSignal): Promise<Release> {
    const full = this.full(kind);
    if (full === undefined) return this.take(kind);
    this.count(full);
    return await new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', abort);
        this.#waiting.delete(look);
      };
      const look = (): void => {
        if (this.full(kind) !== undefined) return;
        settle();
        resolve(this.take(kind));
      };
      const abort = (): void => {
        settle();
        reject(signal.reason as Error);
      };
      const timer = setTimeout(() => {
        settle();
        reject(this.refusal(this.full(kind) ?? full, kind));
      }, this.limits.uploadWaitMs);
      this.#waiting.add(look);
      signal.addEventListener('abort', abort);
      if (signal.aborted) abort();
    });
  }

  private full({ token, volume }: TransferKind): 'token' | 'volume' | undefined {
    if (this.#byToken.of(token) >= this.limits.perToken) return 'token';
    if (volume === undefined) return undefined;
    return this.#byVolume.of(volume) >= this.limits.perVolume ? 'volume' : undefined;
  }

  private take({ token, volume }: TransferKind): Release {
    this.#byToken.add(token, 1);
    if (volume !== undefined) this.#byVolume.add(volume, 1);
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      this.#byToken.add(token, -1);
      if (volume !== undefined) this.#byVolume.add(volume, -1);
      for (const look of this.#waiting) look();
    };
  }

  private count(full: 'token' | 'volume'): void {
    countLimitReached('client', `transfers-per-${full}`);
  }

  private refusal(full: 'token' | 'volume', { volume }: TransferKind): StorageError {
    const { perToken, perVolume } = this.limits;
    if (full === 'token') {
      const message = `All ${perToken} transfers that a token may have at a time are under way`;
      return new StorageError('RATE_LIMITED', message, { subject: 'token' });
    }
    const message = `All ${perVolume} transfers that volume "${volume}" may have at a time are under way`;
    return new StorageError('UNAVAILABLE', message, { subject: 'request', reason: 'overloaded' });
  }
}

/** Numbers by name; those that are 0 take no memory. */
class Counts {
  readonly #counts = new Map<string, number>();

  of(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  add(name: string, change: 1 | -1): void {
    const count = this.of(name) + change;
    if (count === 0) this.#counts.delete(name);
    else this.#counts.set(name, count);
  }
}
