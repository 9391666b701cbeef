import { isAbsolute, resolve } from 'node:path';
import { parseBinarySize, formatBinarySizeShort, type BinarySizeOptions } from '../binary-size.js';
import { formatDuration, parseDuration } from '../duration.js';
import { GrammarError } from '../grammar-error.js';
import { parseHostPort, type HostPort } from '../host-port.js';
import { lenientBool } from '../lenient.js';

/** How the value of one key is read, and how that is explained to an operator. */
export interface ValueType<T = unknown> {
  /** Completes "must be …"; the reference and the error lines share it. */
  readonly allowed: string;
  /** Takes what a TOML file can hold. Throws GrammarError with a clause that starts with "must". */
  read(value: unknown): T;
  /** The value is text, so that text from the environment is not first tried as a TOML number. */
  readonly isText?: boolean;
  /** Makes relative paths inside the value absolute; called before `read`. */
  readonly resolvePaths?: (value: unknown, folder: string) => unknown;
}

interface Range {
  readonly min?: number;
  readonly max?: number;
}

function must(type: Pick<ValueType, 'allowed'>): GrammarError {
  return new GrammarError(`must be ${type.allowed}`);
}

/** Clause behind a noun: ` from 1s to 1h`, ` of at least 1s`, or nothing. */
function rangeClause({ min, max }: Range, show: (bound: number) => string): string {
  if (min !== undefined && max !== undefined) return ` from ${show(min)} to ${show(max)}`;
  if (min !== undefined) return ` of at least ${show(min)}`;
  return max === undefined ? '' : ` of at most ${show(max)}`;
}

function checkRange(value: number, type: ValueType, { min = -Infinity, max = Infinity }: Range) {
  if (value < min || value > max) throw must(type);
  return value;
}

/** Text that is not empty. */
export function text(): ValueType<string> {
  return {
    allowed: 'text that is not empty',
    isText: true,
    read(value) {
      if (typeof value !== 'string' || value === '') throw must(this);
      return value;
    },
  };
}

/** Text that may be empty, as older samples write for "none". */
export function optionalText(): ValueType<string> {
  return {
    allowed: 'text',
    isText: true,
    read(value) {
      if (typeof value !== 'string') throw must(this);
      return value;
    },
  };
}

/** Text that follows a pattern. */
export function textLike(pattern: RegExp, allowed: string): ValueType<string> {
  return {
    allowed,
    isText: true,
    read(value) {
      if (typeof value !== 'string' || !pattern.test(value)) throw must(this);
      return value;
    },
  };
}

/** One of a few words; case does not matter, the spelling given here comes back. */
export function oneOf<const T extends string>(...words: readonly T[]): ValueType<T> {
  return {
    allowed: `one of ${words.map((word) => JSON.stringify(word)).join(', ')}`,
    isText: true,
    read(value) {
      const found =
        typeof value === 'string' &&
        words.find((word) => word.toLowerCase() === value.toLowerCase());
      if (!found) throw must(this);
      return found;
    },
  };
}

/** `true` or `false`, and the spellings that the original takes for them. */
export function flag(): ValueType<boolean> {
  return {
    allowed: 'true or false',
    read(value) {
      try {
        return lenientBool(value);
      } catch {
        throw must(this);
      }
    },
  };
}

export function integer(range: Range = {}): ValueType<number> {
  return {
    allowed: `a whole number${rangeClause(range, String)}`,
    read(value) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw must(this);
      return checkRange(value, this, range);
    },
  };
}

/** A number above 0 up to 1. */
export function fraction(): ValueType<number> {
  return {
    allowed: 'a number above 0 and up to 1',
    read(value) {
      if (typeof value !== 'number' || !(value > 0 && value <= 1)) throw must(this);
      return value;
    },
  };
}

/** Bytes; see `parseBinarySize`. */
export function size(range: Range & BinarySizeOptions = {}): ValueType<number> {
  return {
    allowed: `a size${rangeClause(range, formatBinarySizeShort)}, in bytes or such as "512k", "1.5 GiB", "100g"`,
    ...ranged(range, (value) => parseBinarySize(value, range)),
  };
}

/** Milliseconds; see `parseDuration`. */
export function duration(range: Range = {}): ValueType<number> {
  return {
    allowed: `a duration${rangeClause(range, formatDuration)}, in seconds or such as "90s", "5m", "24h", "7d"`,
    ...ranged(range, (value) => parseDuration(value)),
  };
}

/** Reads through a grammar, then checks the range; every failure names the whole of what is allowed. */
function ranged(range: Range, parse: (value: unknown) => number): Pick<ValueType<number>, 'read'> {
  return {
    read(this: ValueType<number>, value) {
      try {
        return checkRange(parse(value), this, range);
      } catch {
        throw must(this);
      }
    },
  };
}

/** A listener's or service's address; port 0 lets the system choose. */
export function address(): ValueType<HostPort> {
  return {
    allowed:
      'an address: "host:port", "[ipv6]:port", { host = "…", port = … } or ["host", port], the port from 0 to 65535',
    read(value) {
      try {
        return parseHostPort(value);
      } catch {
        throw must(this);
      }
    },
  };
}

/** One address, or a list of them; always a list inside. */
export function addresses(): ValueType<HostPort[]> {
  const one = address();
  return {
    allowed: `${one.allowed}; or a list of them`,
    read(value) {
      // A pair of host and port is a list too.
      for (const candidates of [[value], asList(value)]) {
        try {
          return candidates.map((candidate) => one.read(candidate));
        } catch {
          continue;
        }
      }
      throw must(this);
    },
  };
}

/** A path of this host; relative ones start at the folder of the configuration file. */
export function path(): ValueType<string> {
  return {
    allowed: 'a path',
    isText: true,
    read(value) {
      if (typeof value !== 'string' || value === '' || value.includes('\0')) throw must(this);
      return value;
    },
    resolvePaths: (value, folder) =>
      typeof value === 'string' && value !== '' ? resolve(folder, value) : value,
  };
}

/** A path that stays relative. */
export function relativePath(): ValueType<string> {
  return {
    allowed: 'a relative path',
    isText: true,
    read(value) {
      if (typeof value !== 'string' || value === '' || isAbsolute(value)) throw must(this);
      return value;
    },
  };
}

/** A list; a value that stands alone is a list of one, which is handy in the environment. */
export function listOf<T>(element: ValueType<T>): ValueType<T[]> {
  const { resolvePaths } = element;
  return {
    allowed: `a list of which each element is ${element.allowed}`,
    read(value) {
      try {
        return asList(value).map((item) => element.read(item));
      } catch {
        throw must(this);
      }
    },
    ...(resolvePaths && {
      resolvePaths: (value: unknown, folder: string) =>
        asList(value).map((item) => resolvePaths(item, folder)),
    }),
  };
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

/** The first type that reads the value wins. */
export function either<A, B>(first: ValueType<A>, second: ValueType<B>): ValueType<A | B> {
  return {
    allowed: `${first.allowed}, or ${second.allowed}`,
    read(value) {
      for (const type of [first, second]) {
        try {
          return type.read(value);
        } catch {
          continue;
        }
      }
      throw must(this);
    },
  };
}

/** A table whose keys are somebody else's business. */
export function record(): ValueType<Record<string, unknown>> {
  return {
    allowed: 'a table',
    read(value) {
      if (!isTable(value)) throw must(this);
      return value;
    },
  };
}

/** For keys that are accepted and have no effect. */
export function anything(): ValueType {
  return { allowed: 'any value', read: (value) => value };
}

/** A TOML table, as the parser returns it: a plain object, not a list or a date. */
export function isTable(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
