import { applyDecorators } from '@nestjs/common';
import { RouteConfig } from '@nestjs/platform-fastify';
import { ApiOperation } from '@nestjs/swagger';
import type { BodyMode } from './fastify-types.js';
import type { Operation as OperationName } from './operations.js';

export interface OperationOptions {
  /** One line, imperative, for the OpenAPI document. */
  readonly summary: string;
  /** What it does and when it fails, for an operator; Markdown. */
  readonly description: string;
  /**
   * `json` (default): parameters come from a JSON body or the query, see `@Parameters()`.
   * `none`: any body is refused with 400. `stream`: `request.body` is the raw request stream;
   * Fastify's body limit does **not** apply there, so the handler counts bytes itself.
   */
  readonly body?: BodyMode;
  /** Refuse any query parameter with 400. */
  readonly noQuery?: boolean;
  readonly deprecated?: boolean;
}

/**
 * Names the operation a route performs. The name selects its answers to errors, its documentation of
 * them, whether it needs the manager secret, and how logs call it. Every route needs one.
 */
export function Operation(name: OperationName, options: OperationOptions): MethodDecorator {
  const { summary, description, body = 'json', noQuery = false, deprecated = false } = options;
  return applyDecorators(
    RouteConfig({ operation: name, body, noQuery }),
    ApiOperation({ operationId: name, summary, description, ...(deprecated && { deprecated }) }),
  );
}
