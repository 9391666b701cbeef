import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isStorageError, StorageError } from '../errors/storage-error.js';
import { countLimitReached } from '../observability/metrics.js';
import { inviteBody } from './expectation.js';
import type { BodyMode } from './fastify-types.js';
import type { HttpLimits } from './limits/http-limits.js';
import type { Plane } from './operations.js';
import { parseShallowJson } from './shallow-json.js';

/** How much of an oversize body is read and thrown away, so that the client is there for the answer. */
const DISCARD_FACTOR = 16;
/** What Fastify can read of a `Content-Type`. */
const MEDIA_TYPE = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+\s*(;|$)/;

/**
 * Replaces Fastify's parsers by one that takes JSON on any method under any or no `Content-Type`, and
 * hands routes of body mode `stream` the request itself.
 */
export function installBodyParsing(
  fastify: FastifyInstance,
  plane: Plane,
  limits: HttpLimits,
): void {
  // GET is bodyless to Fastify, but managers send JSON bodies with it.
  fastify.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (request: FastifyRequest, payload: Readable, done) => {
    const { body: mode } = request.routeOptions.config;
    if (mode === 'stream') return done(null, payload);
    // A promise costs as much as a hook or two, and most requests have no body to wait for.
    if (!announcesBody(request.raw)) return done(null, undefined);
    inviteBody(request.raw);
    return readBody(payload, limits)
      .then((body) => parseBody(body, mode))
      .catch((error: unknown) => {
        if (isLate(error)) countLimitReached(plane, 'json-body-timeout');
        throw error;
      });
  });
  fastify.addHook('onRequest', (request, _reply, done) => {
    forgiveContentType(request);
    done();
  });
  fastify.addHook('preValidation', (request, _reply, done) => {
    done(refusal(request));
  });
}

/** RFC 9112, 6.3: a request without either of these has no body. Node has refused what is not a number. */
function announcesBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true;
  return headers['content-length'] !== undefined && Number(headers['content-length']) !== 0;
}

/**
 * Fastify answers 415 to a `Content-Type` it cannot read; the wire says it is not looked at. Without a body it says
 * nothing at all: Fastify then calls the handler directly, instead of a parser in an asynchronous scope of its own.
 */
function forgiveContentType({ raw, routeOptions }: FastifyRequest): void {
  const type = raw.headers['content-type'];
  if (type === undefined) return;
  const isMeaningless = routeOptions.config.body !== 'stream' && !announcesBody(raw);
  if (isMeaningless || !MEDIA_TYPE.test(type)) raw.headers['content-type'] = undefined;
}

/**
 * Gathers the body. Not `for await`: leaving such a loop destroys the request, and with it the socket
 * that the 413 has to go out on.
 */
function readBody(
  payload: Readable,
  { jsonBodyBytes: limitBytes, jsonBodyTimeoutMs: timeoutMs }: HttpLimits,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooLate(timeoutMs)), timeoutMs);
    const refuse = (error: Error): void => {
      clearTimeout(timer);
      reject(error);
    };
    payload.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= limitBytes) chunks.push(chunk);
      else if (size > DISCARD_FACTOR * limitBytes) refuse(tooLarge(limitBytes));
    });
    payload.once('end', () => {
      clearTimeout(timer);
      if (size > limitBytes) reject(tooLarge(limitBytes));
      else resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size));
    });
    payload.once('error', refuse);
  });
}

function tooLate(timeoutMs: number): StorageError {
  return new StorageError(
    'INVALID_ARGUMENT',
    `The request body did not arrive within ${timeoutMs / 1000} s`,
    { subject: 'request', reason: 'body-late', headers: { connection: 'close' } },
  );
}

function isLate(error: unknown): boolean {
  return isStorageError(error) && error.details.reason === 'body-late';
}

function tooLarge(limitBytes: number): StorageError {
  return new StorageError('TOO_LARGE', `Maximum request body size ${limitBytes} exceeded.`, {
    subject: 'request',
  });
}

function parseBody(body: Buffer, mode: BodyMode | undefined): unknown {
  if (body.length === 0) return undefined;
  if (mode === 'none') return body;
  try {
    return parseShallowJson(body.toString('utf8'));
  } catch (cause) {
    throw new StorageError(
      'INVALID_ARGUMENT',
      'The request body is not valid JSON',
      { subject: 'request', reason: 'body-malformed' },
      { cause },
    );
  }
}

function refusal(request: FastifyRequest): StorageError | undefined {
  const { body, noQuery } = request.routeOptions.config;
  if (body === 'none' && request.body !== undefined) {
    return new StorageError('INVALID_ARGUMENT', 'The request body should be empty', {
      subject: 'request',
      reason: 'body-not-allowed',
    });
  }
  const unknown = noQuery === true ? Object.keys(request.query as object) : [];
  if (unknown.length === 0) return undefined;
  return new StorageError('INVALID_ARGUMENT', 'No parameter is allowed', {
    subject: 'request',
    data: Object.fromEntries(unknown.map((name) => [name, `${name} is not allowed key`])),
  });
}
