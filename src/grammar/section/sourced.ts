import { isTable } from './value-type.js';

/** A value that did not come from the file, with its origin for error lines. */
export class Sourced {
  constructor(
    readonly value: unknown,
    /** For example the name of an environment variable. */
    readonly origin: string,
    /** The text before it was read as TOML, when there was any. */
    readonly raw?: string,
  ) {}

  /** What a field that holds text sees: `12345` is a secret, not a number, and quotes are TOML's. */
  asText(): unknown {
    return typeof this.value === 'string' ? this.value : (this.raw ?? this.value);
  }
}

/** The value without its origin, all the way down. */
export function withoutSources(value: unknown): unknown {
  if (value instanceof Sourced) return withoutSources(value.value);
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, withoutSources(inner)]),
  );
}
