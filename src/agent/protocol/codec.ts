/** How a value goes into JSON, and how it is read back from a peer that may send anything. */
export interface Codec<T> {
  encode(value: T): unknown;
  /** Throws CodecError. */
  decode(json: unknown): T;
}

/** What a peer sent is not what the protocol says; the message tells which member. */
export class CodecError extends Error {
  override readonly name = 'CodecError';
}

export type Decoded<C> = C extends Codec<infer T> ? T : never;

/** A value that JSON holds as it is, when `accepts` says so. */
function plain<T>(what: string, accepts: (json: unknown) => json is T): Codec<T> {
  return {
    encode: (value) => value,
    decode(json) {
      if (!accepts(json)) throw new CodecError(`must be ${what}`);
      return json;
    },
  };
}

/** Text of at most `max` UTF-16 units. */
export function text(max: number): Codec<string> {
  return plain(
    `text of at most ${max} characters`,
    (json): json is string => typeof json === 'string' && json.length <= max,
  );
}

/** A whole number. */
export function integer(min: number, max: number): Codec<number> {
  return plain(
    `a whole number from ${min} to ${max}`,
    (json): json is number =>
      Number.isSafeInteger(json) && Number(json) >= min && Number(json) <= max,
  );
}

/** Bytes, inodes, seconds: nothing of ours is larger than what a JavaScript number holds exactly. */
export const count = integer(0, Number.MAX_SAFE_INTEGER);

export const boolean = plain('true or false', (json): json is boolean => typeof json === 'boolean');

export const nothing: Codec<void> = {
  encode: () => null,
  decode(json) {
    if (json !== null) throw new CodecError('must be null');
  },
};

export function oneOf<const T extends string>(words: readonly T[]): Codec<T> {
  const known: ReadonlySet<unknown> = new Set(words);
  return plain('a word of the protocol', (json): json is T => known.has(json));
}

/** Any JSON value; only its size is bounded, by the frame. */
export const anything = plain('a value', (json): json is unknown => json !== undefined);

export function nullable<T>(codec: Codec<T>): Codec<T | null> {
  return {
    encode: (value) => (value === null ? null : codec.encode(value)),
    decode: (json) => (json === null ? null : codec.decode(json)),
  };
}

const OPTIONAL = Symbol('optional');
type Optional<T> = Codec<T> & { readonly [OPTIONAL]: true };

/** A member that may be left out. */
export function optional<T>(codec: Codec<T>): Optional<T> {
  return { ...codec, [OPTIONAL]: true };
}

type Members = Readonly<Record<string, Codec<never> | Codec<unknown>>>;
type OptionalKeys<M> = { [K in keyof M]: M[K] extends Optional<unknown> ? K : never }[keyof M];
type Shape<M> = {
  readonly [K in Exclude<keyof M, OptionalKeys<M>>]: Decoded<M[K]>;
} & { readonly [K in OptionalKeys<M>]?: Decoded<M[K]> };

/** An object with these members and no others. */
export function shape<const M extends Members>(members: M): Codec<Shape<M>> {
  const entries = Object.entries(members as Readonly<Record<string, Codec<unknown>>>);
  return {
    encode(value) {
      const given = new Map(Object.entries(value));
      const present = entries.filter(([name]) => given.get(name) !== undefined);
      return Object.fromEntries(
        present.map(([name, codec]) => [name, codec.encode(given.get(name))]),
      );
    },
    decode(json) {
      const given = membersOf(json);
      const value: Record<string, unknown> = {};
      for (const [name, codec] of entries) {
        if (!given.has(name) && OPTIONAL in codec) continue;
        value[name] = within(name, () => codec.decode(given.get(name)));
        given.delete(name);
      }
      const [unknown] = given.keys();
      if (unknown !== undefined) throw new CodecError(`"${unknown.slice(0, 40)}" is unknown`);
      return value as Shape<M>;
    },
  };
}

function membersOf(json: unknown): Map<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CodecError('must be an object');
  }
  return new Map(Object.entries(json));
}

function within<T>(name: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof CodecError) throw new CodecError(`${name}: ${error.message}`);
    throw error;
  }
}
