import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { loggerFor } from '../observability/logger.js';
import { requestFacts } from '../observability/request-context.js';
import { toProblem, type Problem } from './problem.js';
import './fastify-types.js';

const log = loggerFor('http');

/** How long a refused request may go on sending its body. */
const REST_TIMEOUT_MS = 5_000;

/**
 * The only exception filter. Nest routes everything through it: what handlers throw, what Fastify's
 * hooks and parsers report, and requests that match no route. Logs once, answers once.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    answerProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

/** Answers a request with the problem an error is, or breaks the connection when it is too late for that. */
export function answerProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { operation } = request.routeOptions.config;
  const problem = toProblem(error, { operation, requestId: request.id });
  // Absent when the router itself refused the URL, before any hook ran.
  if (request.storageContext) request.storageContext.errorCode = problem.body.error_code;
  else reply.raw.setHeader('x-request-id', request.id);
  logProblem(error, problem, request);
  if (reply.raw.headersSent) {
    // Anything appended now would become part of a file. A broken connection is what a client notices.
    request.raw.socket.destroy();
    return;
  }
  if (!request.raw.complete) limitRest(request, reply);
  const text = JSON.stringify(problem.body);
  if (reply.sent) {
    // Taken over by the handler, who failed before writing anything.
    reply.raw.writeHead(problem.status, {
      ...problem.headers,
      'content-length': Buffer.byteLength(text),
    });
    reply.raw.end(text);
    return;
  }
  void reply.code(problem.status).headers(problem.headers).serializer(String).send(text);
}

/**
 * Node reads and drops the rest of a body that nobody wants, which lets the client see the answer, but
 * would go on for the whole of a huge upload.
 */
function limitRest(request: FastifyRequest, reply: FastifyReply): void {
  const { socket } = request.raw;
  reply.raw.once('finish', () => {
    const timer = setTimeout(() => {
      if (!request.raw.complete) socket.destroy();
    }, REST_TIMEOUT_MS);
    timer.unref();
  });
}

function logProblem(error: unknown, problem: Problem, request: FastifyRequest): void {
  const { storageContext } = request;
  const facts = {
    ...(storageContext ? requestFacts(storageContext) : { request_id: request.id }),
    status: problem.status,
    error_code: problem.body.error_code,
  };
  if (request.raw.socket.destroyed) {
    log.debug('The client went away', { ...facts, err: error });
  } else if (problem.status >= 500 && problem.status !== 503) {
    log.error(problem.body.msg, { ...facts, err: error });
  } else if (problem.status === 503) {
    // What exactly ails a volume may name host paths: it is said here, not in the answer.
    const cause =
      error instanceof Error && error.cause instanceof Error ? error.cause.message : null;
    log.warn(problem.body.msg, { ...facts, ...(cause === null ? {} : { cause }) });
  } else {
    log.debug(problem.body.msg, facts);
  }
}
