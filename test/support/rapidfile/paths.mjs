const SLASH = Buffer.from('/');

/** Paths are bytes. */
export function join(directory, name) {
  return Buffer.concat([directory, SLASH, name]);
}
