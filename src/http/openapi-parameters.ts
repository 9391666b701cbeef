import { ignoresExtraMembers } from './validation.pipe.js';

/** The part of an OpenAPI operation that is rewritten here. */
export interface OperationObject {
  operationId?: string;
  description?: string;
  parameters?: ParameterObject[];
  requestBody?: { content: Record<string, { schema: { $ref?: string } }> };
  responses: Record<string, unknown>;
  security?: Record<string, string[]>[];
}

interface ParameterObject {
  name: string;
  required?: boolean;
  description?: string;
  example?: unknown;
  schema?: SchemaObject;
}

interface SchemaObject {
  type?: unknown;
  $ref?: string;
  description?: string;
  example?: unknown;
  anyOf?: SchemaObject[];
  required?: string[];
  properties?: Record<string, SchemaObject>;
  additionalProperties?: boolean;
}

const REF = '#/components/schemas/';

/**
 * Documents the parameters of GET and DELETE in the query, which is where browsers and most clients can
 * send them. The JSON body that managers send instead is said in words: OpenAPI tools refuse it.
 */
export function queryInsteadOfBody(
  operation: OperationObject,
  schemas: Readonly<Record<string, unknown>>,
): void {
  const schema = bodySchema(operation, schemas);
  if (schema === undefined) return;
  const required = new Set(schema.required);
  operation.parameters = [
    ...(operation.parameters ?? []),
    ...Object.entries(schema.properties ?? {}).map(([name, property]) =>
      queryParameter(name, property, required.has(name)),
    ),
  ];
  operation.description = `${operation.description ?? ''}\n\nThe parameters may also be members of a JSON body.`;
  delete operation.requestBody;
}

function queryParameter(name: string, property: SchemaObject, required: boolean) {
  const { description, example, ...schema } = property;
  return {
    name,
    in: 'query',
    required,
    ...(description === undefined ? {} : { description }),
    ...(example === undefined ? {} : { example }),
    ...(isObject(schema) ? { content: { 'application/json': { schema } } } : { schema }),
  };
}

/** True when the operation's parameters may come as JSON in the body. */
export function takesJson(operation: OperationObject): boolean {
  return operation.requestBody?.content['application/json'] !== undefined;
}

/** Names of what the operation takes in the query, path or JSON body, required ones first. */
export function parameterNames(
  operation: OperationObject,
  schemas: Readonly<Record<string, unknown>>,
): string[] {
  const schema = bodySchema(operation, schemas);
  const parameters = operation.parameters ?? [];
  const required = parameters.filter((parameter) => parameter.required).map(({ name }) => name);
  const names = [
    ...(schema?.required ?? []),
    ...required,
    ...Object.keys(schema?.properties ?? {}),
    ...parameters.map(({ name }) => name),
  ];
  return [...new Set(names)];
}

function bodySchema(
  operation: OperationObject,
  schemas: Readonly<Record<string, unknown>>,
): SchemaObject | undefined {
  const ref = operation.requestBody?.content['application/json']?.schema.$ref;
  return ref === undefined ? undefined : (schemas[ref.slice(REF.length)] as SchemaObject);
}

/** Says that a body has no further members, where it is refused with some; of objects inside it as well. */
export function closeBody(
  operation: OperationObject,
  schemas: Readonly<Record<string, unknown>>,
): void {
  const ref = operation.requestBody?.content['application/json']?.schema.$ref;
  if (ref === undefined || ignoresExtraMembers(ref.slice(REF.length))) return;
  const close = (name: string): void => {
    const schema = schemas[name] as SchemaObject;
    if (schema.additionalProperties !== undefined) return;
    schema.additionalProperties = false;
    referencesIn(schema.properties).forEach(close);
  };
  close(ref.slice(REF.length));
}

/**
 * Puts what Nest gathers into a parameter's schema where readers look for it: description and example
 * beside the name. A `type` beside `anyOf` says that only that type will do, which is wrong.
 */
export function tidyParameters(operation: OperationObject): void {
  for (const parameter of operation.parameters ?? []) {
    if (parameter.schema === undefined) continue;
    const { description, example = parameter.example, ...schema } = parameter.schema;
    if (schema.anyOf) delete schema.type;
    parameter.schema = schema;
    if (description !== undefined) parameter.description ??= description;
    // Swagger UI would send the example of an optional parameter along.
    delete parameter.example;
    if (example !== undefined && parameter.required) parameter.example = example;
  }
}

function isObject(schema: SchemaObject): boolean {
  return (
    schema.$ref !== undefined ||
    schema.type === 'object' ||
    (Array.isArray(schema.type) && schema.type.includes('object')) ||
    (schema.anyOf?.some(isObject) ?? false)
  );
}

/** The schemas that paths refer to, directly or through each other. */
export function pruneSchemas<T>(paths: unknown, schemas: Record<string, T>): Record<string, T> {
  const used = new Set<string>();
  const visit = (node: unknown): void => {
    for (const name of referencesIn(node)) {
      if (used.has(name)) continue;
      used.add(name);
      visit(schemas[name]);
    }
  };
  visit(paths);
  return Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)));
}

/** Drops the suffix that our classes have: it means nothing to readers of the document. */
export function publicNames<T>(document: T): T {
  const text = JSON.stringify(document).replaceAll(
    /"#\/components\/schemas\/(\w+)Dto"/g,
    '"#/components/schemas/$1"',
  );
  const renamed = JSON.parse(text) as T & { components: { schemas: Record<string, unknown> } };
  renamed.components.schemas = Object.fromEntries(
    Object.entries(renamed.components.schemas)
      .map(([name, schema]) => [name.replace(/Dto$/, ''), schema] as const)
      .toSorted(([a], [b]) => (a < b ? -1 : 1)),
  );
  return renamed;
}

function referencesIn(node: unknown): string[] {
  const text = JSON.stringify(node) ?? '';
  return [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1]!);
}
