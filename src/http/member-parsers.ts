import type { Type } from '@nestjs/common';
import { getMetadataStorage } from 'class-validator';

/** How one member of a DTO becomes its value, without class-transformer and class-validator. */
export interface MemberParser {
  /** Takes a value that is there. @throws anything for one that is refused */
  readonly parse: (value: unknown) => unknown;
  readonly optional: boolean;
  readonly nullable: boolean;
}

/** The rule of class-validator that stands for a parser; a member with other rules has no parser here. */
export const COERCED = 'coerced';

type Parsers = ReadonlyMap<string, MemberParser>;

const PARSERS = Symbol('member-parsers');
const complete = new WeakMap<Type<unknown>, Parsers | null>();

/** Notes how a DTO member is parsed; called by the DTO decorators. */
export function setMemberParser(prototype: object, member: string, parser: MemberParser): void {
  const own = Reflect.getOwnMetadata(PARSERS, prototype) as Map<string, MemberParser> | undefined;
  const inherited = Reflect.getMetadata(PARSERS, prototype) as Parsers | undefined;
  const parsers = own ?? new Map(inherited);
  parsers.set(member, parser);
  Reflect.defineMetadata(PARSERS, parsers, prototype);
}

/**
 * The instance of a DTO class that class-transformer would make of plain parameters and class-validator would accept,
 * in a fraction of their time. Undefined when a member is missing, refused or unknown, and for classes with members
 * of other kinds: the two then find out what is wrong.
 *
 * @param ignoresExtras leave unknown members out
 */
export function parseMembers(
  type: Type<unknown>,
  parameters: unknown,
  ignoresExtras: boolean,
): object | undefined {
  const parsers = parsersOf(type);
  if (parsers === null || typeof parameters !== 'object' || parameters === null) return undefined;
  const given = parameters as Readonly<Record<string, unknown>>;
  const instance = new type() as Record<string, unknown>;
  for (const name of Object.keys(given)) {
    const parser = parsers.get(name);
    if (parser !== undefined) {
      const value = parsed(parser, given[name]);
      if (value === undefined) return undefined;
      instance[name] = value;
    } else if (!ignoresExtras) {
      return undefined;
    }
  }
  for (const [name, { optional }] of parsers) {
    if (!optional && instance[name] === undefined) return undefined;
  }
  return instance;
}

function parsed({ parse, nullable }: MemberParser, value: unknown): unknown {
  if (value === undefined || (value === null && nullable)) return value;
  try {
    return parse(value);
  } catch {
    return undefined;
  }
}

/** `null` unless every rule of the class is one of ours. */
function parsersOf(type: Type<unknown>): Parsers | null {
  const known = complete.get(type);
  if (known !== undefined) return known;
  const parsers = Reflect.getMetadata(PARSERS, type.prototype as object) as Parsers | undefined;
  const found = parsers !== undefined && hasNoOtherRules(type, parsers) ? parsers : null;
  complete.set(type, found);
  return found;
}

function hasNoOtherRules(type: Type<unknown>, parsers: Parsers): boolean {
  const rules = getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
  const coerced = rules.filter(({ name }) => name === COERCED).map((rule) => rule.propertyName);
  const others = rules.filter(
    ({ name, type }) => name !== COERCED && type !== 'conditionalValidation',
  );
  return (
    others.length === 0 &&
    coerced.length === parsers.size &&
    coerced.every((member) => parsers.has(member))
  );
}
