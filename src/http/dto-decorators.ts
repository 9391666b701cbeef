/**
 * Property decorators for DTO classes. Each states at once how a member is coerced, validated and
 * documented, so that the three cannot disagree.
 */
import { applyDecorators, type Type as ClassType } from '@nestjs/common';
import { ApiProperty, type ApiPropertyOptions } from '@nestjs/swagger';
import { Transform, Type } from 'class-transformer';
import { IsObject, ValidateBy, ValidateIf, ValidateNested } from 'class-validator';
import { lenientBool, lenientInt } from '../grammar/lenient.js';
import { setMemberKind } from './member-kinds.js';
import { COERCED, setMemberParser } from './member-parsers.js';
import { Refused } from './refused.js';

/** What every member can say. */
export interface MemberOptions {
  /** For the OpenAPI document; required, since the document is the documentation. */
  readonly description: string;
  readonly example?: unknown;
  /** The key may be absent. Give the property an initial value to have a default. */
  readonly optional?: boolean;
  /** The value may be `null`. */
  readonly nullable?: boolean;
  /** Documented default of an optional member. */
  readonly default?: unknown;
}

/** The part of an OpenAPI schema that a decorator states. */
type Schema = Record<string, unknown>;

/**
 * A member that `parse` turns into its typed value; the message of what it throws is the reason the
 * client gets. A StorageError of another code than INVALID_ARGUMENT is answered as what it is.
 * `schema` is the JSON schema of what the wire accepts.
 */
export function Coerced(
  parse: (value: unknown) => unknown,
  schema: Schema,
  options: MemberOptions,
): PropertyDecorator {
  const { optional = false, nullable = false } = options;
  return member(
    options,
    schema,
    (target, key) => setMemberParser(target, String(key), { parse, optional, nullable }),
    Transform(({ value }) => attempt(parse, value, options), { toClassOnly: true }),
    ValidateBy({
      name: COERCED,
      validator: {
        validate: (value) => value !== undefined && !(value instanceof Refused),
        defaultMessage: (args) =>
          args?.value instanceof Refused ? args.value.reason : 'is required',
      },
    }),
  );
}

function attempt(
  parse: (value: unknown) => unknown,
  value: unknown,
  options: MemberOptions,
): unknown {
  if (value === undefined) return undefined;
  if (value === null && options.nullable === true) return null;
  try {
    return parse(value);
  } catch (error) {
    return new Refused(error);
  }
}

/** The wire's forgiving boolean: `true`, `1`, `"yes"`, `"off"`, and `null` for false. */
export function LenientBool(options: MemberOptions): PropertyDecorator {
  const words = ['t', 'true', 'y', 'yes', 'on', '1', '1.0'];
  const negations = ['f', 'false', 'n', 'no', 'off', '0', 'none', '0.0'];
  return Coerced(
    lenientBool,
    {
      anyOf: [
        { type: 'boolean' },
        { type: 'integer', enum: [0, 1] },
        { type: 'string', enum: [...words, ...negations], description: 'In any letter case' },
        { type: 'null' },
      ],
    },
    { example: true, ...options },
  );
}

export interface IntegerOptions extends MemberOptions {
  readonly minimum?: number;
  readonly maximum?: number;
}

/** The wire's forgiving integer: a JSON integer, or text with a decimal integer. */
export function LenientInt(options: IntegerOptions): PropertyDecorator {
  const { minimum, maximum, ...rest } = options;
  const range = {
    ...(minimum === undefined ? {} : { minimum }),
    maximum: maximum ?? Number.MAX_SAFE_INTEGER,
  };
  return Coerced(
    (value) => inRange(lenientInt(value), minimum, maximum),
    {
      anyOf: [
        { type: 'integer', ...range },
        { type: 'string', pattern: '^\\s*[+-]?\\d{1,15}\\s*$' },
      ],
    },
    rest,
  );
}

function inRange(value: number, minimum = -Infinity, maximum = Infinity): number {
  if (!Number.isSafeInteger(value)) throw new Error("value can't be converted to int");
  if (value < minimum) throw new Error(`value should be greater than or equal to ${minimum}`);
  if (value > maximum) throw new Error(`value should be less than or equal to ${maximum}`);
  return value;
}

export interface TextOptions extends MemberOptions {
  /** Let `""` pass. */
  readonly allowBlank?: boolean;
  readonly maxLength?: number;
}

/** A JSON string; numbers are refused. Not empty unless `allowBlank`. */
export function Text(options: TextOptions): PropertyDecorator {
  const { allowBlank = false, maxLength, ...rest } = options;
  return Coerced(
    (value) => text(value, allowBlank, maxLength),
    {
      type: 'string',
      ...(allowBlank ? {} : { minLength: 1 }),
      ...(maxLength === undefined ? {} : { maxLength }),
    },
    rest,
  );
}

/** A member whose text `parse` turns into a value object, for example `ParsedText(VFolderId.parse, …)`. */
export function ParsedText(
  parse: (text: string) => unknown,
  options: TextOptions & { readonly pattern?: string },
): PropertyDecorator {
  const { allowBlank = false, maxLength, pattern, ...rest } = options;
  return Coerced(
    (value) => parse(text(value, allowBlank, maxLength)),
    {
      type: 'string',
      ...(allowBlank ? {} : { minLength: 1 }),
      ...(maxLength === undefined ? {} : { maxLength }),
      ...(pattern === undefined ? {} : { pattern }),
    },
    rest,
  );
}

function text(value: unknown, allowBlank: boolean, maxLength = Infinity): string {
  if (typeof value !== 'string') throw new Error('value is not a string');
  if (value === '' && !allowBlank) throw new Error('blank value is not allowed');
  if (value.length > maxLength) throw new Error(`String is longer than ${maxLength} characters`);
  return value;
}

export interface ListOptions extends MemberOptions {
  readonly minItems?: number;
  readonly maxItems?: number;
}

/** A JSON array whose texts `parse` turns into values; in a query, a repeated parameter. */
export function ParsedList(
  parse: (text: string) => unknown,
  options: ListOptions & { readonly allowBlank?: boolean },
): PropertyDecorator {
  const { minItems, maxItems, allowBlank = false, ...rest } = options;
  const schema = {
    type: 'array',
    items: { type: 'string' },
    ...(minItems === undefined ? {} : { minItems }),
    ...(maxItems === undefined ? {} : { maxItems }),
  };
  const decorator = Coerced(
    (value) => list(value, minItems, maxItems).map((item) => parse(text(item, allowBlank))),
    schema,
    rest,
  );
  return withKind('list', decorator);
}

function list(value: unknown, minItems = 0, maxItems = Infinity): unknown[] {
  if (!Array.isArray(value)) throw new Error('value is not a list');
  if (value.length < minItems) throw new Error(`list length is less than ${minItems}`);
  if (value.length > maxItems) throw new Error(`list length is greater than ${maxItems}`);
  return value as unknown[];
}

/** One text or a list of them; the value is always the list of what `parse` made of each. */
export function ParsedOneOrMany(
  parse: (text: string) => unknown,
  options: ListOptions & { readonly allowBlank?: boolean },
): PropertyDecorator {
  const { minItems, maxItems, allowBlank = false, ...rest } = options;
  return Coerced(
    (value) =>
      list(typeof value === 'string' ? [value] : value, minItems, maxItems).map((item) =>
        parse(text(item, allowBlank)),
      ),
    {
      anyOf: [
        { type: 'string' },
        {
          type: 'array',
          items: { type: 'string' },
          ...(minItems === undefined ? {} : { minItems }),
          ...(maxItems === undefined ? {} : { maxItems }),
        },
      ],
    },
    rest,
  );
}

/** A nested object with a DTO class of its own. */
export function ObjectOf(
  type: () => ClassType<unknown>,
  options: MemberOptions,
): PropertyDecorator {
  const decorator = member(
    options,
    // Swagger takes only a function of this name for a lazy type.
    { type: () => type() },
    Type(type),
    IsObject({ message: 'value is not a dict' }),
    ValidateNested(),
  );
  return withKind('object', decorator);
}

/** An object of any content. */
export function AnyObject(options: MemberOptions): PropertyDecorator {
  const decorator = member(
    options,
    { type: 'object', additionalProperties: true },
    IsObject({ message: 'value is not a dict' }),
  );
  return withKind('object', decorator);
}

function withKind(kind: 'list' | 'object', decorator: PropertyDecorator): PropertyDecorator {
  return (target, key) => {
    setMemberKind(target, String(key), kind);
    decorator(target, key);
  };
}

/** Documentation and optionality around the decorators of one member. */
function member(
  options: MemberOptions,
  schema: Schema,
  ...decorators: PropertyDecorator[]
): PropertyDecorator {
  const { description, optional = false, nullable = false } = options;
  const documented = {
    // Keeps Swagger from looking at the property's TypeScript type; it drops this beside `anyOf`.
    type: 'string',
    ...schema,
    description,
    required: !optional,
    ...(nullable && { nullable }),
    ...(options.example === undefined ? {} : { example: options.example }),
    ...(options.default === undefined ? {} : { default: options.default }),
  };
  return applyDecorators(
    ApiProperty(documented as ApiPropertyOptions),
    ...decorators,
    ...(optional || nullable ? [skippable(optional, nullable)] : []),
  );
}

function skippable(optional: boolean, nullable: boolean): PropertyDecorator {
  return ValidateIf((_object, value: unknown) => {
    if (value === undefined) return !optional;
    return value !== null || !nullable;
  });
}
