import type { BodySource } from '../../volume/uploads/body-source.js';
import type { OpenUpload } from '../../volume/uploads/open-upload.js';
import type { UploadRequest } from '../../volume/uploads/upload-request.js';

/** The methods of `/upload` that name an upload. */
export type TusMethod = 'HEAD' | 'PATCH' | 'POST';

export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** One request about an upload, beside what the tus library is shown of those that go through it. */
export interface TusExchange {
  readonly method: TusMethod;
  readonly request: UploadRequest;
  /** The body is wanted now; the library never sees one. Once. */
  readonly openBody: () => BodySource;
  /** Tells the audit trail that something was changed, whatever the method. */
  readonly noteChange: () => void;
  /** URI reference of the upload: the URL that was asked for. */
  readonly location: string;
  /** When the token, and with it the upload if it is not finished, expires. */
  readonly expiresAt: Date;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** While the lock is held. */
  upload?: OpenUpload;
  /** What was thrown; the library only passes on a status and a text. */
  failure?: unknown;
}

/**
 * Carries exchanges past the library, whose interfaces have no room for them: they hand on the request they were given,
 * or the id of its upload. That id is made up for each request, since two may be about the same upload.
 */
export class TusExchanges {
  readonly #ids = new WeakMap<Request, string>();
  readonly #running = new Map<string, TusExchange>();
  #last = 0;

  /** Runs `work`, during which the library is shown `request`. */
  async run<T>(exchange: TusExchange, request: Request, work: () => Promise<T>): Promise<T> {
    this.#last += 1;
    const id = String(this.#last);
    this.#ids.set(request, id);
    this.#running.set(id, exchange);
    try {
      return await work();
    } finally {
      this.#running.delete(id);
    }
  }

  /** What the library is to call the upload. */
  idOf(request: Request): string {
    const id = this.#ids.get(request);
    if (id === undefined) throw new Error('called outside of a request');
    return id;
  }

  of(id: string): TusExchange {
    const exchange = this.#running.get(id);
    if (exchange === undefined) throw new Error('called outside of a request');
    return exchange;
  }

  /** @throws Error outside of the lock */
  uploadOf(id: string): OpenUpload {
    const { upload } = this.of(id);
    if (upload === undefined) throw new Error('the upload is not open');
    return upload;
  }
}
