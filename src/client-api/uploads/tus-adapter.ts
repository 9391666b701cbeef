import { Server } from '@tus/server';
import type { Uploads } from '../../volume/uploads/uploads.js';
import { patchUpload } from './patch-upload.js';
import { fromTusError } from './tus-errors.js';
import { TusExchanges, type RequestHeaders, type TusExchange } from './tus-exchange.js';
import { UploadLocker, UploadStore } from './tus-store.js';

/** What the library is told it was asked; it looks at no part of it. */
const URL_SHOWN = 'http://localhost/upload';
const OFFSET_BODY = 'application/offset+octet-stream';

/** Request headers the library may see; others, such as odd forwarding headers, would only make it refuse. */
const SHOWN = [
  'content-length',
  'upload-length',
  'upload-defer-length',
  'upload-metadata',
  'upload-concat',
];
/** Answer headers that are the protocol's; the rest (its own CORS policy) is ours to say. */
const PASSED = [
  'cache-control',
  'location',
  'tus-extension',
  'tus-max-size',
  'tus-resumable',
  'tus-version',
  'upload-offset',
];

/** An answer without a body. */
export interface TusAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Where requests meet `@tus/server`. The library owns the protocol but for PATCH; it is shown a request without a
 * body, since its own body path costs several stream layers, and every error it answers is thrown instead,
 * so that uploads fail in the product's one error shape.
 */
export class TusAdapter {
  readonly #exchanges = new TusExchanges();
  readonly #server: Server;

  constructor(private readonly uploads: Uploads) {
    const exchanges = this.#exchanges;
    this.#server = new Server({
      path: '/upload',
      datastore: new UploadStore(exchanges),
      locker: new UploadLocker(uploads, exchanges),
      maxSize: uploads.maxSizeBytes,
      getFileIdFromRequest: (request) => exchanges.idOf(request),
      namingFunction: (request) => exchanges.idOf(request),
      generateUrl: (_request, { id }) => exchanges.of(id).location,
      onResponseError: (request, error) => {
        exchanges.of(exchanges.idOf(request)).failure ??= error;
        return undefined;
      },
    });
  }

  /** What an uploader, or a browser before it, asks about the server. */
  async options(): Promise<TusAnswer> {
    const answer = await this.#server.handleWeb(new Request(URL_SHOWN, { method: 'OPTIONS' }));
    return { status: 200, headers: passed(answer.headers) };
  }

  /**
   * Answers one request.
   *
   * @throws StorageError whatever `Uploads.open` and `OpenUpload.receive` throw; OFFSET_MISMATCH; TOO_LARGE; INVALID_ARGUMENT
   */
  async handle(exchange: TusExchange, headers: RequestHeaders): Promise<TusAnswer> {
    if (exchange.method !== 'PATCH') return await this.show(exchange, headers);
    const offset = await patchUpload(this.uploads, exchange, headers);
    return { status: 204, headers: answerHeaders(exchange, { 'upload-offset': String(offset) }) };
  }

  private async show(exchange: TusExchange, headers: RequestHeaders): Promise<TusAnswer> {
    const shown = shownHeaders(headers);
    const request = new Request(URL_SHOWN, { method: exchange.method, headers: shown });
    const answer = await this.#exchanges.run(exchange, request, () =>
      this.#server.handleWeb(request),
    );
    if (answer.status >= 400) {
      const failure = exchange.failure ?? {
        status_code: answer.status,
        body: await answer.text(),
      };
      throw fromTusError(failure, exchange);
    }
    return { status: answer.status, headers: answerHeaders(exchange, passed(answer.headers)) };
  }
}

/** The protocol lets our clients leave out what tus itself requires (protocol section 4.5). */
function shownHeaders(given: RequestHeaders): Headers {
  const shown = new Headers({ 'tus-resumable': '1.0.0' });
  for (const name of SHOWN) {
    const value = given[name];
    if (typeof value === 'string') shown.set(name, value);
  }
  if (given['content-type'] === OFFSET_BODY) {
    shown.set('content-type', OFFSET_BODY);
  }
  return shown;
}

function answerHeaders(
  { method, request, expiresAt }: TusExchange,
  given: Readonly<Record<string, string>>,
): Record<string, string> {
  const headers: Record<string, string> = { ...given, 'cache-control': 'no-store' };
  // tus expiration extension: "MUST be included in every PATCH response if the upload is going to expire".
  if (Number(headers['upload-offset'] ?? 0) < request.sizeBytes) {
    headers['upload-expires'] = expiresAt.toUTCString();
  }
  if (method !== 'POST') headers['upload-length'] = String(request.sizeBytes);
  return headers;
}

function passed(given: Headers): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of PASSED) {
    const value = given.get(name);
    if (value !== null) headers[name] = value;
  }
  return headers;
}
