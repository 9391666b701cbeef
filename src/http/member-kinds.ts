import type { Type } from '@nestjs/common';

/** Members that are not single texts, and therefore need decoding when they come from a query string. */
export type MemberKind = 'list' | 'object';

const KINDS = Symbol('member-kinds');
const NONE: ReadonlyMap<string, MemberKind> = new Map();

/** Notes a DTO member's kind; called by the DTO decorators. */
export function setMemberKind(prototype: object, member: string, kind: MemberKind): void {
  const own = Reflect.getOwnMetadata(KINDS, prototype) as Map<string, MemberKind> | undefined;
  const inherited = Reflect.getMetadata(KINDS, prototype) as Map<string, MemberKind> | undefined;
  const kinds = own ?? new Map(inherited);
  kinds.set(member, kind);
  Reflect.defineMetadata(KINDS, kinds, prototype);
}

/** The members of a DTO class that are lists or objects. */
export function memberKinds(type: Type<unknown> | undefined): ReadonlyMap<string, MemberKind> {
  if (type === undefined) return NONE;
  const kinds = Reflect.getMetadata(KINDS, type.prototype as object) as
    ReadonlyMap<string, MemberKind> | undefined;
  return kinds ?? NONE;
}
