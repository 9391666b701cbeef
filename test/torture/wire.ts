import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http';
import { AUTH_HEADER } from '../support/manager-client.js';

/** What came back, as far as it came: connections break here on purpose. */
export interface Outcome {
  /** 0 when no status line came. */
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly bytes: Buffer;
  /** The connection ended before the answer did. */
  readonly broken: boolean;
  /** Nothing came for `patienceMs`. */
  readonly hung: boolean;
}

export interface WireOptions {
  /** After so long without anything of an answer, a request counts as hung. */
  readonly patienceMs?: number;
  readonly sockets?: number;
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer;
  /** Called with the request once it is under way, to break it off. */
  readonly started?: (outgoing: ClientRequest) => void;
}

/** A client of both planes of one server. It never rejects: whatever happens is an outcome. */
export class Wire {
  readonly #agent: Agent;

  constructor(
    private readonly server: {
      readonly managerUrl: string;
      readonly clientUrl: string;
      readonly secret: string;
    },
    private readonly options: WireOptions = {},
  ) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.sockets ?? 64 });
  }

  manager(method: string, path: string, parameters?: object): Promise<Outcome> {
    const body = parameters === undefined ? undefined : Buffer.from(JSON.stringify(parameters));
    return this.send(method, `${this.server.managerUrl}${path}`, {
      headers: { [AUTH_HEADER]: this.server.secret, 'content-type': 'application/json' },
      ...(body && { body }),
    });
  }

  client(
    method: string,
    path: string,
    query: Readonly<Record<string, string>>,
    options: RequestOptions = {},
  ): Promise<Outcome> {
    const url = `${this.server.clientUrl}${path}?${new URLSearchParams(query).toString()}`;
    return this.send(method, url, options);
  }

  send(method: string, url: string, { headers, body, started }: RequestOptions): Promise<Outcome> {
    return new Promise((resolve) => {
      const chunks: Buffer[] = [];
      let incoming: IncomingMessage | undefined;
      let hung = false;
      const outgoing = request(url, {
        method,
        agent: this.#agent,
        headers: { ...(body && { 'content-length': body.length }), ...headers },
      });
      const timer = setTimeout(() => {
        hung = true;
        outgoing.destroy();
      }, this.options.patienceMs ?? 60_000);
      const settle = (broken: boolean): void => {
        clearTimeout(timer);
        resolve({
          status: incoming?.statusCode ?? 0,
          headers: incoming?.headers ?? {},
          bytes: Buffer.concat(chunks),
          broken,
          hung,
        });
      };
      outgoing.once('error', () => settle(true));
      outgoing.once('close', () => settle(!incoming?.complete));
      outgoing.once('response', (response) => {
        incoming = response;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          timer.refresh();
        });
        response.once('error', () => settle(true));
        response.once('end', () => settle(false));
      });
      started?.(outgoing);
      outgoing.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The body of an outcome as JSON; `{}` when it is none. */
export function jsonOf({ bytes }: Outcome): Record<string, unknown> {
  try {
    return JSON.parse(bytes.toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}
