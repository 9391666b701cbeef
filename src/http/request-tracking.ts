import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { bytesBesideNode, readBesideNode } from '../observability/bytes-beside-node.js';
import { loggerFor } from '../observability/logger.js';
import { observeRequest } from '../observability/request-metrics.js';
import { traceRequest, type RequestContext } from '../observability/request-context.js';
import { auditRequest } from './audit.js';
import type { Operation, Plane } from './operations.js';
import { onResponseEnd } from './response-end.js';
import './fastify-types.js';

const log = loggerFor('access');
const SANE_ID = /^[\w.:=+/@-]{1,128}$/;

/** The caller's `X-Request-ID` when it is fit for logs and headers, else a fresh one. */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && SANE_ID.test(given) ? given : randomUUID();
}

/**
 * Gives every request its context, id header, one access log line at its end, and its metrics. Must be
 * installed before any other hook, so that whatever those do belongs to the request.
 */
export function installRequestTracking(fastify: FastifyInstance, plane: Plane): void {
  fastify.decorateRequest('storageContext');
  fastify.addHook('onRequest', (request, reply, done) => {
    const { operation } = request.routeOptions.config;
    const context: RequestContext = { requestId: request.id, plane, peer: request.ip };
    if (operation !== undefined) context.operation = operation;
    request.storageContext = context;
    // On the raw response, so that answers written beside Fastify carry it as well.
    reply.raw.setHeader('x-request-id', request.id);
    trackEnd(request, reply.raw);
    if (operation === undefined || FREQUENT.has(operation)) {
      done();
      return;
    }
    const end = traceRequest(context, done);
    onResponseEnd(reply.raw, request.raw.socket, end);
  });
}

function trackEnd(request: FastifyRequest, response: ServerResponse): void {
  const socket = request.raw.socket;
  const started = process.hrtime.bigint();
  onResponseEnd(response, socket, () => {
    const seconds = Number(process.hrtime.bigint() - started) / 1e9;
    const { read, written } = bytesSinceLastRequest(socket);
    const bytesOut = written + bytesBesideNode(response);
    report(request, response, { seconds, bytesIn: read, bytesOut });
  });
}

interface Totals {
  readonly seconds: number;
  /** On the wire, headers included. */
  readonly bytesIn: number;
  readonly bytesOut: number;
}

function report(request: FastifyRequest, response: ServerResponse, totals: Totals): void {
  const { operation, errorCode, peer, plane, principal } = request.storageContext;
  const aborted = !response.writableFinished;
  const statusCode = response.headersSent || !aborted ? response.statusCode : 499;
  observeRequest({
    method: request.method,
    endpoint: request.is404 ? 'unmatched' : (request.routeOptions.url ?? 'unmatched'),
    statusCode,
    errorCode,
    seconds: totals.seconds,
  });
  auditRequest(request.storageContext, { statusCode, aborted, seconds: totals.seconds });
  const quiet =
    (operation !== undefined && PROBES.has(operation as Operation)) || statusCode === 429;
  log[quiet ? 'debug' : 'info']('Request served', {
    request_id: request.id,
    plane,
    method: request.method,
    url: request.originalUrl,
    status: statusCode,
    // What is undefined is not written.
    operation,
    error_code: errorCode,
    principal,
    aborted: aborted || undefined,
    peer,
    bytes_in: totals.bytesIn,
    bytes_out: totals.bytesOut,
    duration_ms: Math.round(totals.seconds * 1e6) / 1e3,
  });
}

/** Orchestrators ask these every few seconds; at `info` they would drown everything else, as would a flood (429). */
const PROBES: ReadonlySet<Operation> = new Set<Operation>([
  'status.read',
  'health.read',
  'livez.read',
  'readyz.read',
  'metrics.read',
]);

/**
 * What is asked for so often that tracing it would cost too much, see `traceRequest`. The lines of these that know their
 * request say so; what lies deeper, such as the lease of an upload, names its session or volume instead.
 */
const FREQUENT: ReadonlySet<Operation> = new Set<Operation>([
  ...PROBES,
  'volumes.list',
  'file.list',
  'file.fetch',
  'file.download',
  'file.archive-download-token',
  'file.upload',
  'download',
  'download.head',
  'download-archive',
  'download-archive.head',
  'upload.options',
  'upload.head',
  'upload.create',
  'upload.patch',
]);

const reported = new WeakMap<Socket, { read: number; written: number }>();

/** What the connection carried since the last request that ended on it. Pipelining blurs `read`. */
function bytesSinceLastRequest(socket: Socket): { read: number; written: number } {
  const before = reported.get(socket) ?? { read: 0, written: 0 };
  const now = {
    read: socket.bytesRead + readBesideNode(socket),
    written: socket.bytesWritten,
  };
  reported.set(socket, now);
  return { read: now.read - before.read, written: now.written - before.written };
}
