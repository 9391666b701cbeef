import { createParamDecorator, type ExecutionContext, type Type } from '@nestjs/common';
import { ApiBody } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import { memberKinds, type MemberKind } from './member-kinds.js';
import { parseShallowJson } from './shallow-json.js';

/**
 * The merged parameters of a request: members of the JSON body, or query parameters. A name given in
 * both with different values is refused.
 *
 * @throws StorageError INVALID_ARGUMENT (subject `request`) on a conflict, or a body that is not an object
 */
function mergeParameters(
  query: Readonly<Record<string, unknown>>,
  body: unknown,
  kinds: ReadonlyMap<string, MemberKind>,
): Record<string, unknown> {
  if (body !== undefined && (typeof body !== 'object' || body === null || Array.isArray(body))) {
    throw invalid('value is not a dict');
  }
  const merged: Record<string, unknown> = { ...body };
  const refused: Record<string, string> = Object.create(null) as Record<string, string>;
  for (const name of [...Object.keys(merged), ...Object.keys(query)]) {
    // class-transformer drops such names silently, before anybody can call them unknown.
    if (name in Object.prototype) refused[name] = `${name} is not allowed key`;
  }
  for (const [name, text] of Object.entries(query)) {
    const value = fromQuery(text, kinds.get(name));
    if (!Object.hasOwn(merged, name)) merged[name] = value;
    else if (!sameValue(merged[name], value)) {
      refused[name] = 'given in both query and body, with different values';
    }
  }
  if (Object.keys(refused).length > 0) throw invalid(refused);
  return merged;
}

/** In a query a list is a repeated parameter or JSON text, an object is JSON text. */
function fromQuery(value: unknown, kind: MemberKind | undefined): unknown {
  if (kind === undefined || typeof value !== 'string') return value;
  if (kind === 'list' && !value.startsWith('[')) return [value];
  try {
    return parseShallowJson(value);
  } catch {
    return value;
  }
}

function sameValue(body: unknown, query: unknown): boolean {
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  return text(body) === text(query);
}

function invalid(data: unknown): StorageError {
  return new StorageError('INVALID_ARGUMENT', 'Invalid API parameters', {
    subject: 'request',
    data,
  });
}

const MergedParameters = createParamDecorator(
  (type: Type<unknown> | undefined, context: ExecutionContext) => {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const { query, body, storageContext } = request;
    const merged = mergeParameters(query as object as never, body, memberKinds(type));
    storageContext.parameters = merged;
    return merged;
  },
);

/**
 * Injects the request's parameters as an instance of the parameter's DTO class, validated. They may
 * come from the JSON body or the query string, on every method:
 * `create(@Parameters() parameters: CreateFolderDto)`. Documents the DTO as well.
 */
export function Parameters(): ParameterDecorator {
  return (target, key, index) => {
    if (key === undefined) throw new Error('@Parameters() belongs on a parameter of a handler');
    const types = Reflect.getMetadata('design:paramtypes', target, key) as Type<unknown>[];
    const type = types[index]!;
    MergedParameters(type)(target, key, index);
    const handler = Object.getOwnPropertyDescriptor(target, key)!;
    ApiBody({ type })(target, key, handler);
  };
}
