import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** A file whose content is known, for what is there and what must not be. */
export interface KnownFile {
  readonly path: string;
  readonly sha256: string;
}

/** What is wrong with a file that must be whole where it is. */
export function damaged({ path, sha256: expected }: KnownFile): string[] {
  if (!existsSync(path)) return [`${path} is missing`];
  const found = sha256(readFileSync(path));
  return found === expected ? [] : [`${path} is not what was sent`];
}
