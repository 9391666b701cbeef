import { NestFactory } from '@nestjs/core';
import type { DynamicModule, Type } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestHookHandler } from 'fastify';
import { NestLogger } from '../observability/nest-logger.js';
import { installBodyParsing } from './body-parsing.js';
import { answerClientError } from './client-error.js';
import { installDrain, type Drain } from './drain.js';
import { installExpectation } from './expectation.js';
import { installKnownPaths } from './known-paths.js';
import { limitConnections } from './limits/connections.js';
import { DEFAULT_HTTP_LIMITS, type HttpLimits } from './limits/http-limits.js';
import type { Plane } from './operations.js';
import { answerProblem, ProblemFilter } from './problem.filter.js';
import { installRequestTracking, requestIdOf } from './request-tracking.js';
import { installSecurityHeaders } from './security-headers.js';
import { ParametersPipe } from './validation.pipe.js';

/** How often Node looks for connections whose headers are late, as a part of the time they have. */
const HEADER_CHECKS = 4;
/** Of whole requests and connections: a PATCH or an archive may last for hours. */
const NO_TIMEOUT = 0;

interface TlsOptions {
  /** PEM, with the chain. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

export interface PlaneOptions {
  readonly plane: Plane;
  readonly tls?: TlsOptions | undefined;
  /** Addresses or CIDR ranges whose `X-Forwarded-*` headers are believed. */
  readonly trustedProxies?: readonly string[] | undefined;
  readonly limits?: Partial<HttpLimits> | undefined;
  /** `/prefix` under which a front-end publishes this plane; requests without it are served as well. */
  readonly basePath?: string | undefined;
  /** Run in this order before anything answers, unknown paths included: authentication, CORS. */
  readonly onRequest?: readonly onRequestHookHandler[] | undefined;
}

/** One plane: a Nest application on a Fastify listener of its own. */
export interface PlaneApp {
  readonly app: NestFastifyApplication;
  readonly fastify: FastifyInstance;
  readonly drain: Drain;
}

/**
 * Prepares the application of a plane; the caller adds docs pages, then listens with `app.listen`.
 * Everything that listeners share is in place: JSON bodies on every method, request ids, access log
 * and metrics, 404 and 405, one error body, validation, timeouts, draining.
 */
export async function createPlaneApp(
  module: Type<unknown> | DynamicModule,
  options: PlaneOptions,
): Promise<PlaneApp> {
  const limits = { ...DEFAULT_HTTP_LIMITS, ...options.limits };
  const adapter = new FastifyAdapter(serverOptions(options, limits));
  const fastify = adapter.getInstance<FastifyInstance>();
  // A client that closes its half after the request still gets its answer, also when that is sent beside
  // Node's streams. Not in the documentation, but what Node's own server consults.
  Object.assign(fastify.server, { httpAllowHalfOpen: true });
  installSecurityHeaders(fastify, options.tls !== undefined);
  installExpectation(fastify);
  installRequestTracking(fastify, options.plane);
  limitConnections(fastify, options.plane, limits.connections);
  const drain = installDrain(fastify);
  installBodyParsing(fastify, options.plane, limits);
  for (const hook of options.onRequest ?? []) fastify.addHook('onRequest', hook);
  installKnownPaths(fastify);
  const app = await NestFactory.create<NestFastifyApplication>(module as Type<unknown>, adapter, {
    bodyParser: false,
    abortOnError: false,
    logger: new NestLogger(),
  });
  app.useGlobalFilters(new ProblemFilter());
  app.useGlobalPipes(new ParametersPipe());
  return { app, fastify, drain };
}

/** What the adapter's constructor takes; the package does not export the name. */
type AdapterOptions = Exclude<ConstructorParameters<typeof FastifyAdapter>[0], undefined>;

function serverOptions(options: PlaneOptions, limits: HttpLimits): AdapterOptions {
  const { tls, trustedProxies = [], basePath } = options;
  const http = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headerTimeoutMs,
    // Fastify sets it too, but only once the server is there, and that refuses headers more time than requests.
    requestTimeout: NO_TIMEOUT,
    connectionsCheckingInterval: Math.ceil(limits.headerTimeoutMs / HEADER_CHECKS),
  };
  return {
    // Nest middleware is not used; without it each request saves a hook.
    skipMiddie: true,
    logger: false,
    exposeHeadRoutes: false,
    keepAliveTimeout: limits.keepAliveMs,
    requestTimeout: NO_TIMEOUT,
    connectionTimeout: NO_TIMEOUT,
    trustProxy: trustedProxies.length > 0 ? [...trustedProxies] : false,
    requestIdHeader: false,
    genReqId: (request) => requestIdOf(request.headers),
    routerOptions: { maxParamLength: 256 },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, request, reply) =>
      answerProblem(error, request as unknown as FastifyRequest, reply as unknown as FastifyReply),
    ...(basePath ? { rewriteUrl: basePathStripper(basePath) } : {}),
    ...(tls
      ? {
          https: {
            ...http,
            cert: tls.cert,
            key: tls.key,
            handshakeTimeout: limits.headerTimeoutMs,
          },
        }
      : { http }),
  };
}

function basePathStripper(
  basePath: string,
): (request: { readonly url?: string | undefined }) => string {
  const prefix = `/${basePath.replaceAll(/^\/+|\/+$/g, '')}`;
  return (request) => {
    const url = request.url ?? '/';
    if (!url.startsWith(prefix)) return url;
    const rest = url.slice(prefix.length);
    if (rest === '' || rest.startsWith('?')) return `/${rest}`;
    return rest.startsWith('/') ? rest : url;
  };
}
