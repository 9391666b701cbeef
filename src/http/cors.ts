import type { FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import './fastify-types.js';

/**
 * Header set C of the upload endpoint: on every answer, errors included, so that a browser can show why an
 * upload failed. `Location` is there for clients that create uploads with POST.
 */
const UPLOAD_CORS_HEADERS: Readonly<Record<string, string>> = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers':
    'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type',
  'access-control-expose-headers':
    'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type, Location, Upload-Expires',
  'access-control-allow-methods': '*',
};

/** What browsers expose by themselves. */
const SIMPLE_RESPONSE_HEADERS: ReadonlySet<string> = new Set([
  'cache-control',
  'content-language',
  'content-type',
  'expires',
  'last-modified',
  'pragma',
]);

export interface ClientCorsOptions {
  /** Paths with the fixed header set C. */
  readonly fixed: readonly string[];
  /** Paths that reflect the origin, each with the methods a preflight may ask for. */
  readonly reflecting: Readonly<Record<string, readonly string[]>>;
}

/**
 * The CORS policy of the client plane. Headers go on the raw response, so that transfers that bypass
 * Fastify carry them too.
 */
export function clientCors(options: ClientCorsOptions): onRequestHookHandler {
  const fixed = new Set(options.fixed);
  const reflecting = new Map(Object.entries(options.reflecting));
  return (request, reply, done) => {
    const path = request.url.replace(/\?.*$/s, '');
    if (fixed.has(path)) {
      for (const [name, value] of Object.entries(UPLOAD_CORS_HEADERS)) {
        reply.raw.setHeader(name, value);
      }
      done();
      return;
    }
    const methods = reflecting.get(path);
    if (methods === undefined) {
      done();
      return;
    }
    if (request.method === 'OPTIONS') {
      preflight(request, reply, methods, done);
      return;
    }
    const { origin } = request.headers;
    if (origin !== undefined) reflect(reply, origin);
    done();
  };
}

function preflight(
  request: FastifyRequest,
  reply: FastifyReply,
  methods: readonly string[],
  done: (error?: Error) => void,
): void {
  const { origin } = request.headers;
  const method = request.headers['access-control-request-method'];
  if (origin === undefined || method === undefined || !methods.includes(method)) {
    const reason =
      origin === undefined
        ? 'Origin header is missing'
        : method === undefined
          ? 'Access-Control-Request-Method header is missing'
          : `${method} is not allowed`;
    done(new StorageError('FORBIDDEN', `CORS preflight request failed: ${reason}`));
    return;
  }
  const wanted = request.headers['access-control-request-headers'];
  reply
    .code(200)
    .headers({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': method,
      ...(wanted ? { 'access-control-allow-headers': upperCased(wanted) } : {}),
      vary: 'Origin',
    })
    .send();
}

function upperCased(names: string): string {
  return names
    .split(',')
    .map((name) => name.trim().toUpperCase())
    .join(',');
}

/**
 * Which headers to expose is only known when the answer is written, so this wraps `writeHead`, the one
 * call that every answer goes through.
 */
function reflect(reply: FastifyReply, origin: string): void {
  const { raw } = reply;
  raw.setHeader('access-control-allow-origin', origin);
  raw.setHeader('access-control-allow-credentials', 'true');
  raw.setHeader('vary', 'Origin');
  const writeHead = raw.writeHead.bind(raw) as (...args: unknown[]) => typeof raw;
  raw.writeHead = (...args: unknown[]) => {
    const given = args.find((arg) => typeof arg === 'object') ?? {};
    raw.setHeader('access-control-expose-headers', exposed(raw.getHeaderNames(), given));
    return writeHead(...args);
  };
}

function exposed(set: readonly string[], given: object): string {
  const names = [...set, ...Object.keys(given)].map((name) => name.toLowerCase());
  return [...new Set(names)]
    .filter((name) => !SIMPLE_RESPONSE_HEADERS.has(name) && !name.startsWith('access-control-'))
    .join(',');
}
