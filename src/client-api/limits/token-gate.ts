import type { FastifyRequest } from 'fastify';
import { isStorageError } from '../../errors/storage-error.js';
import { AuthFailures, type AuthFailureOptions } from '../../http/limits/auth-failures.js';
import { refuseUntil } from '../../http/limits/rate-limited.js';
import { countAuthFailure } from '../../observability/metrics.js';
import type { VFolderRef } from '../../volume/ids/vfolder-id.js';

/** Looks at the token of each request to this plane. */
export class TokenGate {
  readonly #failures: AuthFailures;

  constructor(limits: AuthFailureOptions) {
    this.#failures = new AuthFailures(limits);
  }

  /**
   * What the token grants. Forged tokens count against the client's address, and too many are answered 429: that
   * saves their logging, and tells the client to stop. Good ones are honoured whatever others from that address
   * do, since a signature cannot be guessed; expired ones were good once and do not count.
   *
   * @throws StorageError whatever `verify` throws; RATE_LIMITED instead of UNAUTHENTICATED for too many
   */
  admit<Grant extends { readonly ref: VFolderRef; readonly fingerprint: string }>(
    request: FastifyRequest,
    token: string,
    verify: (token: string) => Grant,
  ): Grant {
    const { storageContext, ip } = request;
    try {
      const grant = verify(token);
      storageContext.principal = `token:${grant.fingerprint}`;
      storageContext.subject = { volume: grant.ref.volume, vfolder: grant.ref.id.toString() };
      return grant;
    } catch (error) {
      if (!isStorageError(error, 'UNAUTHENTICATED')) throw error;
      countAuthFailure(storageContext.plane);
      const retryAfter = this.#failures.failed(ip);
      throw retryAfter === undefined ? error : refuseUntil(storageContext.plane, retryAfter);
    }
  }
}
