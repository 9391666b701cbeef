import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { errorResponses, PROBLEM_SCHEMA } from './openapi-errors.js';
import { addExamples } from './openapi-examples.js';
import {
  parameterNames,
  pruneSchemas,
  closeBody,
  publicNames,
  queryInsteadOfBody,
  takesJson,
  tidyParameters,
  type OperationObject,
} from './openapi-parameters.js';
import { OPERATIONS, operationSpec, type Operation, type Plane } from './operations.js';

/** Name of the security scheme, as it appears behind "Authorize". */
const MANAGER_SECRET = 'managerSecret';

export interface OpenApiOptions {
  readonly plane: Plane;
  readonly title: string;
  /** Markdown. */
  readonly description: string;
  readonly version: string;
  /** Tag name and what it groups, in the order they are shown. */
  readonly tags: Readonly<Record<string, string>>;
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch'] as const;

/**
 * The OpenAPI 3.1 document of a plane, from its DTO classes and the error table. Depends on nothing but
 * the code: the same text wherever the plane runs, since the server URL is relative to the document.
 *
 * @throws Error when a route has no `@Operation`
 */
export function buildOpenApi(app: INestApplication, options: OpenApiOptions): OpenAPIObject {
  const document = SwaggerModule.createDocument(app, baseOf(options));
  const ids = new Set<string>();
  for (const [path, item] of Object.entries(document.paths)) {
    for (const method of METHODS) {
      const operation = item[method] as OperationObject | undefined;
      if (!operation) continue;
      complete(operation, method, path, document);
      // OpenAPI wants ids to be unique; ours names the operation, which may have several paths.
      if (ids.has(operation.operationId!)) operation.operationId += path.replaceAll('/', '.');
      ids.add(operation.operationId!);
    }
  }
  const components = (document.components ??= {});
  components.schemas = {
    ...pruneSchemas(document.paths, components.schemas ?? {}),
    Problem: PROBLEM_SCHEMA as never,
  };
  return publicNames(document);
}

function baseOf(options: OpenApiOptions): Omit<OpenAPIObject, 'paths'> {
  const builder = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle(options.title)
    .setDescription(options.description)
    .setVersion(options.version)
    .setLicense('Apache-2.0', 'https://www.apache.org/licenses/LICENSE-2.0')
    // Relative to where the document was fetched from, so a base path needs no configuration here.
    .addServer('.', 'This server');
  for (const [name, description] of Object.entries(options.tags)) builder.addTag(name, description);
  if (options.plane === 'manager') {
    builder.addSecurity(MANAGER_SECRET, {
      type: 'apiKey',
      in: 'header',
      name: 'X-BackendAI-Storage-Auth-Token',
      description: 'One of the secrets in `[api.manager]`.',
    });
  }
  return builder.build();
}

function complete(
  operation: OperationObject,
  method: string,
  path: string,
  document: OpenAPIObject,
): void {
  const { operationId } = operation;
  if (!isOperation(operationId)) throw new Error(`${method} ${path} lacks @Operation`);
  const schemas = document.components?.schemas ?? {};
  const route = {
    operation: operationId,
    method,
    takesBody: takesJson(operation),
    parameters: parameterNames(operation, schemas),
  };
  closeBody(operation, schemas);
  operation.security = operationSpec(operationId).open ? [] : [{ [MANAGER_SECRET]: [] }];
  operation.responses = {
    ...operation.responses,
    ...errorResponses(route),
    // What the controller states itself (a body of its own for an error status) wins.
    ...errorsStatedIn(operation.responses),
  };
  if (method === 'get' || method === 'delete' || method === 'head') {
    queryInsteadOfBody(operation, schemas);
  }
  tidyParameters(operation);
  addExamples(operation, schemas);
}

function errorsStatedIn(responses: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(responses).filter(([status]) => Number(status) >= 400));
}

function isOperation(name: string | undefined): name is Operation {
  return name !== undefined && Object.hasOwn(OPERATIONS, name);
}
