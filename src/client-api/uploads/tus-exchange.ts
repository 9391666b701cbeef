import { AsyncLocalStorage } from 'node:async_hooks';
import type { Readable } from 'node:stream';
import type { OpenUpload } from '../../volume/uploads/open-upload.js';
import type { UploadRequest } from '../../volume/uploads/upload-request.js';

/** The methods of `/upload` that name an upload. */
export type TusMethod = 'HEAD' | 'PATCH' | 'POST';

/** One request on its way through the tus library, beside what the library itself is shown of it. */
export interface TusExchange {
  readonly method: TusMethod;
  readonly request: UploadRequest;
  /** The raw request; the library never sees the body. */
  readonly body: Readable;
  /** Tells a client that waits for it (`Expect: 100-continue`) to send the body. */
  readonly invite: () => void;
  /** URI reference of the upload: the URL that was asked for. */
  readonly location: string;
  /** When the token, and with it the upload if it is not finished, expires. */
  readonly expiresAt: Date;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
  /** While the lock is held. */
  upload?: OpenUpload;
  /** The offset when the lock was taken, for messages. */
  offset?: number;
  /** What was thrown; the library only passes on a status and a text. */
  failure?: unknown;
}

/** Carries the exchange of the running request past the library, whose interfaces have no room for it. */
export class TusExchanges {
  readonly #current = new AsyncLocalStorage<TusExchange>();

  run<T>(exchange: TusExchange, work: () => Promise<T>): Promise<T> {
    return this.#current.run(exchange, work);
  }

  get current(): TusExchange {
    const exchange = this.#current.getStore();
    if (exchange === undefined) throw new Error('called outside of a request');
    return exchange;
  }

  /** @throws Error outside of the lock */
  get upload(): OpenUpload {
    const { upload } = this.current;
    if (upload === undefined) throw new Error('the upload is not open');
    return upload;
  }
}
