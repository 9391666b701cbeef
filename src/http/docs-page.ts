import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { FastifyInstance, FastifyReply, RouteHandlerMethod } from 'fastify';
import swaggerUiPath from 'swagger-ui-dist/absolute-path.js';
import type { Operation } from './operations.js';
import './fastify-types.js';

/** The only files of the package that are served: its own page points at a public demo. */
const ASSETS: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

/** Swagger UI styles elements inline; that is the one concession. */
const CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data: blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** All links are relative, so that the page works under any base path. */
const page = (title: string): string => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>${escapeHtml(title)}</title>
    <link rel="stylesheet" href="docs/swagger-ui.css" />
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#swagger-ui',
  deepLinking: true,
  displayOperationId: true,
  tryItOutEnabled: true,
  persistAuthorization: false,
  validatorUrl: null,
});
`;

/**
 * Serves the OpenAPI document at `/openapi.json` and Swagger UI at `/docs`, both without authentication.
 * Call before the plane listens.
 *
 * @param build makes the document; called once, at the first request for it
 */
export function installDocs(
  fastify: FastifyInstance,
  title: string,
  build: () => OpenAPIObject,
): void {
  let document: string | undefined;
  const get = (url: string, operation: Operation, handler: RouteHandlerMethod): void => {
    fastify.route({ method: 'GET', url, handler, config: { operation, body: 'none' } });
  };
  get('/openapi.json', 'docs.openapi', (_request, reply) =>
    asset(reply, 'application/json; charset=utf-8').send((document ??= JSON.stringify(build()))),
  );
  get('/docs', 'docs.page', (_request, reply) =>
    asset(reply, 'text/html; charset=utf-8')
      .header('content-security-policy', CSP)
      .send(page(title)),
  );
  get('/docs/', 'docs.page', (_request, reply) => reply.redirect('../docs', 308));
  get('/docs/start.js', 'docs.asset', (_request, reply) =>
    asset(reply, 'text/javascript; charset=utf-8').send(START),
  );
  for (const [name, type] of Object.entries(ASSETS)) {
    get(`/docs/${name}`, 'docs.asset', async (_request, reply) =>
      asset(reply, type).send(await readFile(join(swaggerUiPath(), name))),
    );
  }
}

function asset(reply: FastifyReply, type: string): FastifyReply {
  return reply.type(type).header('cache-control', 'no-cache');
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
