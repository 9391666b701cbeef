import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { ArrayState } from './array-state.js';
import { ApiError, readResource, type Result } from './resources.js';

/** What the array does with a request instead of answering it; undefined: answer. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The connection ends without an answer. */
  | { readonly kind: 'drop' }
  /** The answer ends in its middle. */
  | { readonly kind: 'cut' }
  /** No answer, and the connection stays. */
  | { readonly kind: 'hang' }
  /** A byte now and then. */
  | { readonly kind: 'drip' };

export interface SimulatorOptions {
  /** As `GET /api/api_version` tells them. */
  readonly versions?: readonly string[];
  /** PEM; without it the array speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export interface SeenRequest {
  readonly method: string;
  readonly url: URL;
  readonly session: string | undefined;
}

/** The mixture that an array on Purity 4.1.2 reported, unordered [recorded in pure-fb-openmetrics-exporter's tests]. */
const VERSIONS = ['1.8', '1.8.1', '1.9', '1.10', '1.12', '2.0', '2.2', '2.10', '2.8', '1.0'];

/** Without `limit` an array gives a page of its own size; the figure is not documented. */
const DEFAULT_PAGE = 10;

/** The REST API of a Purity//FB array as far as it is documented, over real sockets. */
export class PuritySimulator {
  readonly state = new ArrayState();
  readonly seen: SeenRequest[] = [];
  apiToken = 'T-11111111-2222-3333-4444-555555555555';
  /** Larger `limit`s are silently reduced to this [vendor OpenAPI, parameter `limit`]. */
  maxPage = 1000;
  /** As `GET /api/api_version` tells them; others are not found [not documented, as any other path]. */
  versions: readonly string[];
  /** Asked before each request. */
  fault: (request: SeenRequest) => Fault | undefined = () => undefined;
  logins = 0;

  readonly #sessions = new Set<string>();
  readonly #sockets = new Set<Socket>();
  readonly #server: http.Server;
  readonly #scheme: string;
  #port = 0;

  private constructor(options: SimulatorOptions) {
    this.versions = options.versions ?? VERSIONS;
    const handle = (request: IncomingMessage, response: ServerResponse): void =>
      this.#handle(request, response);
    this.#server = options.tls
      ? https.createServer(options.tls, handle)
      : http.createServer(handle);
    this.#scheme = options.tls ? 'https' : 'http';
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(options: SimulatorOptions = {}): Promise<PuritySimulator> {
    const simulator = new PuritySimulator(options);
    await simulator.listen();
    return simulator;
  }

  /** Again after `stop`, on the same port. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  get endpoint(): string {
    return `${this.#scheme}://localhost:${this.#port}`;
  }

  /** Lets every session expire, as an idle timeout would. */
  expireSessions(): void {
    this.#sessions.clear();
  }

  get openSessions(): number {
    return this.#sessions.size;
  }

  /** Refuses connections from now on. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', this.endpoint);
    const session = request.headers['x-auth-token']?.toString();
    const seen = { method: request.method ?? '', url, session };
    this.seen.push(seen);
    request.resume();
    const fault = this.fault(seen);
    if (fault) return inflict(fault, request, response);
    try {
      this.#answer(seen, request, response);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      sendJson(response, error.status, errorBody(url, error.message));
    }
  }

  #answer(
    { method, url, session }: SeenRequest,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const { pathname } = url;
    // Without login [vendor OpenAPI].
    if (pathname === '/api/api_version') {
      return sendJson(response, 200, { versions: this.versions });
    }
    if (method === 'POST' && pathname === '/api/login') return this.#logIn(request, response);
    const [, version, family, resource] = /^\/api\/(([12])\.[\d.]+)\/(.+)$/.exec(pathname) ?? [];
    if (session === undefined || !this.#sessions.has(session)) {
      // 401 in REST 2, 403 in REST 1: what the two public exporters log in again on.
      throw new ApiError(family === '1' ? 403 : 401, 'Authentication failed');
    }
    if (method === 'POST' && pathname === '/api/logout') {
      this.#sessions.delete(session);
      return sendJson(response, 200, {});
    }
    if (resource === undefined || !this.versions.includes(version ?? ''))
      throw new ApiError(404, 'Not found');
    const result = readResource(this.state, Number(family), resource, url.searchParams);
    sendJson(response, 200, this.#page(Number(family), result, url.searchParams));
  }

  /** The session comes in a header of the answer, not in its body [vendor OpenAPI, /api/login]. */
  #logIn(request: IncomingMessage, response: ServerResponse): void {
    this.logins++;
    if (request.headers['api-token'] !== this.apiToken)
      throw new ApiError(401, 'Invalid API token');
    const session = `session-${this.logins}-of-the-simulated-array`;
    this.#sessions.add(session);
    sendJson(response, 200, { username: 'pureuser' }, { 'x-auth-token': session });
  }

  /** REST 1: `token` and nested `pagination_info`; REST 2: `continuation_token`, at the top [vendor OpenAPI]. */
  #page(family: number, { items, total }: Result, query: URLSearchParams): object {
    const asked = Number(query.get('limit') ?? DEFAULT_PAGE);
    const size = Math.min(asked, this.maxPage);
    const from = Number(query.get(family === 1 ? 'token' : 'continuation_token') ?? 0);
    const end = from + size;
    const paging = {
      continuation_token: end < items.length ? String(end) : null,
      total_item_count: items.length,
    };
    const page = { items: items.slice(from, end), ...(total !== undefined && { total }) };
    return family === 1 ? { pagination_info: paging, ...page } : { ...paging, ...page };
  }
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: object,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** 2.x has a list of errors; 1.x differs between endpoints [vendor OpenAPI and recorded answers]. */
function errorBody(url: URL, message: string): object {
  return url.pathname.startsWith('/api/1.')
    ? [{ msg: message }]
    : { errors: [{ context: null, message }] };
}

function inflict(fault: Fault, request: IncomingMessage, response: ServerResponse): void {
  switch (fault.kind) {
    case 'status':
      response.writeHead(fault.status, fault.headers);
      response.end(fault.body ?? '');
      return;
    case 'drop':
      request.socket.destroy();
      return;
    case 'cut':
      response.writeHead(200, { 'content-length': 1000 });
      response.write('{"items":[');
      setImmediate(() => request.socket.destroy());
      return;
    case 'hang':
      return;
    case 'drip': {
      response.writeHead(200);
      const dripping = setInterval(() => response.write(' '), 20);
      request.socket.on('close', () => clearInterval(dripping));
    }
  }
}
