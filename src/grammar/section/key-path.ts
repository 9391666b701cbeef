/** `volume."my data".path`: as one would write it in TOML. */
export function formatKeyPath(path: readonly string[]): string {
  return path.map((key) => (/^[\w-]+$/.test(key) ? key : JSON.stringify(key))).join('.');
}

/** Kebab-case and snake_case spellings of a key are the same key. */
export function canonicalKey(key: string): string {
  return key.replaceAll('_', '-').toLowerCase();
}

/** `sizeBytes` → `size-bytes`. */
export function kebabCase(property: string): string {
  return property.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

const LONGEST_SHOWN = 80;

/** A value as an error line shows it: on one line, as TOML or JSON would write it, and not too long. */
export function showValue(value: unknown): string {
  const shown = typeof value === 'number' ? String(value) : JSON.stringify(value);
  if (shown === undefined) return 'nothing';
  return shown.length <= LONGEST_SHOWN ? shown : `${shown.slice(0, LONGEST_SHOWN - 1)}…`;
}
