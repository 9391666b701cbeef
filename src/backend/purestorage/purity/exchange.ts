import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { PurityError } from './purity-error.js';

/** An answer larger than this is not one of ours: a page of items has a few hundred kilobytes at most. */
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
const MAX_SOCKETS = 4;

/** Codes of Node's TLS layer that say who the peer is not, rather than that it cannot be reached. */
const CERTIFICATE_CODES =
  /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED_CERT|UNABLE_TO_(GET|VERIFY|DECRYPT))/;

export interface ExchangeOptions {
  /** Base URL, `https://array.example`. */
  readonly endpoint: URL;
  readonly verifyTls: boolean;
  /** PEM; trusted instead of the system's authorities. */
  readonly ca?: string | undefined;
  /** From the first byte sent to the last one received. */
  readonly timeoutMs: number;
}

export interface Call {
  readonly method: 'GET' | 'POST';
  /** Path and query below the endpoint. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * HTTP calls to one array over a few kept connections. Node's own client, since `fetch` cannot be given trusted
 * authorities per client. Redirects are not followed: they would carry the session elsewhere.
 */
export class Exchange {
  readonly #agent: HttpAgent | HttpsAgent;
  readonly #isTls: boolean;

  constructor(private readonly options: ExchangeOptions) {
    this.#isTls = options.endpoint.protocol === 'https:';
    const kept = { keepAlive: true, maxSockets: MAX_SOCKETS, scheduling: 'lifo' } as const;
    this.#agent = this.#isTls
      ? new HttpsAgent({ ...kept, rejectUnauthorized: options.verifyTls, ca: options.ca })
      : new HttpAgent(kept);
  }

  /** Resolves with whatever status. Rejects with PurityError `unreachable`, `certificate` or `malformed`. */
  send({ method, path, headers = {} }: Call): Promise<Answer> {
    const { endpoint, timeoutMs } = this.options;
    const base = endpoint.pathname.replace(/\/$/, '');
    const deadline = AbortSignal.timeout(timeoutMs);
    const request = (this.#isTls ? httpsRequest : httpRequest)({
      agent: this.#agent,
      protocol: endpoint.protocol,
      hostname: endpoint.hostname.replace(/^\[|\]$/g, ''),
      port: endpoint.port,
      path: base + path,
      method,
      headers: {
        accept: 'application/json',
        ...headers,
        ...(method === 'POST' && { 'content-length': 0 }),
      },
      signal: deadline,
    });
    return new Promise<Answer>((resolve, reject) => {
      const fail = (error: Error): void => reject(this.#explain(error, deadline));
      request.on('error', fail);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('error', fail);
        response.on('aborted', () => fail(new Error('the connection broke during the answer')));
        response.on('data', (chunk: Buffer) => {
          length += chunk.length;
          if (length <= MAX_ANSWER_BYTES) return void chunks.push(chunk);
          request.destroy();
          reject(new PurityError('malformed', `${this.#array} answers with more than 16 MiB`));
        });
        response.on('end', () => {
          if (!response.complete) return;
          const { statusCode = 0, headers } = response;
          resolve({ status: statusCode, headers, body: Buffer.concat(chunks).toString('utf8') });
        });
      });
      request.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  get #array(): string {
    return `the array at ${this.options.endpoint.host}`;
  }

  #explain(error: Error, deadline: AbortSignal): PurityError {
    if (deadline.aborted) {
      const seconds = this.options.timeoutMs / 1000;
      return new PurityError('unreachable', `${this.#array} did not answer within ${seconds} s`);
    }
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && CERTIFICATE_CODES.test(code)) {
      return new PurityError(
        'certificate',
        `the certificate of ${this.#array} is not trusted (${code}). Name its authority with "purity_ca_file", or set purity_ssl_verify = false`,
        { cause: error },
      );
    }
    const why = code ?? error.message;
    return new PurityError('unreachable', `${this.#array} does not answer (${why})`, {
      cause: error,
    });
  }
}
