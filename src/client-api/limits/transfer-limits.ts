import type { AuthFailureOptions } from '../../http/limits/auth-failures.js';

/** What the client plane of one worker bears. */
export interface TransferLimits {
  /** Transfers of one token at a time. */
  readonly perToken: number;
  /** Transfers of one volume at a time. */
  readonly perVolume: number;
  /** How long an upload waits for its turn, milliseconds. */
  readonly uploadWaitMs: number;
  readonly authFailures: AuthFailureOptions;
}

/** As the configuration has them. */
export const DEFAULT_TRANSFER_LIMITS: TransferLimits = {
  perToken: 16,
  perVolume: 512,
  uploadWaitMs: 30_000,
  authFailures: { burst: 30, windowMs: 60_000 },
};
