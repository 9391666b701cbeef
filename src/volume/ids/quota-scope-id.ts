import { StorageError } from '../../errors/storage-error.js';
import { dashedUuid, uuidHex } from './uuid.js';

export type QuotaScopeType = 'user' | 'project';

/** Word characters in groups joined by single `_` or `-`, on both sides of one colon (protocol section 2.1). */
const GRAMMAR = /^([a-z0-9]+(?:[_-][a-z0-9]+)*):([a-z0-9]+(?:[_-][a-z0-9]+)*)$/i;

/** Whose limit applies to a group of vfolders. Text form `<type>:<dashed uuid>`. */
export class QuotaScopeId {
  private constructor(
    readonly type: QuotaScopeType,
    /**
     * Name of the scope's directory: the 32 lower-case hex digits. The type is no part of it, so a user
     * scope and a project scope of one UUID share a directory (protocol section 2.1).
     */
    readonly pathname: string,
  ) {}

  /** @throws StorageError INVALID_ARGUMENT; its message is the reason, fit for `data: { member: reason }` */
  static parse(text: string): QuotaScopeId {
    const [, type, uuid] = GRAMMAR.exec(text) ?? [];
    if (type === undefined || uuid === undefined) {
      throw invalid('expected "<user or project>:<UUID>"');
    }
    const hex = uuidHex(uuid);
    if (hex === undefined) throw invalid('the right half of a quota scope id must be a UUID');
    return new QuotaScopeId(knownType(type), hex);
  }

  /** From the parts that file names in the trash carry; the caller has matched them. */
  static of(type: QuotaScopeType, hex: string): QuotaScopeId {
    return new QuotaScopeId(type, hex);
  }

  /** Dashed lower-case. */
  get uuid(): string {
    return dashedUuid(this.pathname);
  }

  equals(other: QuotaScopeId): boolean {
    return this.type === other.type && this.pathname === other.pathname;
  }

  toString(): string {
    return `${this.type}:${this.uuid}`;
  }
}

function knownType(text: string): QuotaScopeType {
  const type = text.toLowerCase();
  if (type === 'user' || type === 'project') return type;
  throw invalid('the type of a quota scope must be user or project');
}

function invalid(reason: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', reason, { subject: 'request' });
}
