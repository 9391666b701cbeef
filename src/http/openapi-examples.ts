/** The part of a schema that examples are made from. */
interface SchemaObject {
  $ref?: string;
  type?: string | string[];
  example?: unknown;
  default?: unknown;
  enum?: unknown[];
  anyOf?: SchemaObject[];
  allOf?: SchemaObject[];
  items?: SchemaObject;
  properties?: Record<string, SchemaObject>;
  required?: string[];
}

interface MediaType {
  schema?: SchemaObject;
  example?: unknown;
  examples?: Record<string, unknown>;
}

interface WithContent {
  content?: Record<string, MediaType>;
}

interface OperationObject {
  requestBody?: WithContent;
  responses: Record<string, unknown>;
}

type Schemas = Readonly<Record<string, unknown>>;

const REF = '#/components/schemas/';

/**
 * Gives every JSON body that has none an example, put together from the examples of the DTO's members:
 * whole messages are easier to read than schemas, and "Try it out" starts with them.
 */
export function addExamples(operation: OperationObject, schemas: Schemas): void {
  const bodies = [operation.requestBody, ...Object.values(operation.responses)] as WithContent[];
  for (const body of bodies) {
    for (const [type, media] of Object.entries(body?.content ?? {})) {
      if (type !== 'application/json' || media.schema === undefined) continue;
      if (media.example !== undefined || media.examples !== undefined) continue;
      media.example = exampleOf(media.schema, schemas, body === operation.requestBody);
    }
  }
}

/** @param brief leave out optional members without a telling example: requests need not carry them */
function exampleOf(schema: SchemaObject, schemas: Schemas, brief: boolean): unknown {
  const within = (inner: SchemaObject): unknown => exampleOf(inner, schemas, brief);
  if (schema.example !== undefined) return schema.example;
  if (schema.$ref) return within(schemas[schema.$ref.slice(REF.length)] as SchemaObject);
  if (schema.default !== undefined) return schema.default;
  if (schema.enum) return schema.enum[0];
  if (schema.items) return [within(schema.items)];
  const [first] = schema.anyOf ?? schema.allOf ?? [];
  if (first) return within(first);
  const members = Object.entries(schema.properties ?? {})
    .map(([name, property]) => [name, within(property)] as const)
    .filter(
      ([name, value]) =>
        value !== undefined && !(brief && isIdle(value) && isOptional(schema, name)),
    );
  return schema.properties === undefined ? undefined : Object.fromEntries(members);
}

function isOptional(schema: SchemaObject, name: string): boolean {
  return !schema.required?.includes(name);
}

/** Says no more than leaving the member out would. */
function isIdle(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0);
}
