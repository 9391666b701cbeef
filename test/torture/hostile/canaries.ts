import { createHash, randomBytes } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/** What may never be in an answer: it is in every name and every content outside of the hostile folders. */
export const CANARY = `CANARY${randomBytes(8).toString('hex')}`;

/** Below everything the proxy may read of, so that reading it shows: `relatime` moves an access time that is older than the change. */
const LONG_AGO = new Date('2001-01-01');
/** The paths that exist inside exist outside too, so that one link on the way is enough to get there. */
const DIRECTORIES = ['', 'b', 'b/c', 'd0', 'd0/b', 'd0/b/c', 'd1', 'd1/b', 'c', '.upload'];
const LARGE_BYTES = 300 * 1024;

/** A tree that nobody has any business in. */
export class Canaries {
  readonly #before = new Map<string, string>();
  readonly #contents = new Map<string, string>();

  /** `directory` is made. */
  constructor(readonly directory: string) {
    for (const path of DIRECTORIES) {
      const made = join(directory, path);
      mkdirSync(made, { recursive: true });
      writeFileSync(join(made, 'f0'), `${CANARY}\n`);
      writeFileSync(join(made, 'f1'), Buffer.alloc(LARGE_BYTES, `${CANARY} `));
      writeFileSync(join(made, CANARY), CANARY);
      symlinkSync('f0', join(made, `${CANARY}-link`));
    }
    for (const path of this.#entries()) {
      const stat = lstatSync(path);
      if (stat.isFile()) this.#contents.set(path, digest(path));
      if (!stat.isSymbolicLink()) utimesSync(path, LONG_AGO, stat.mtime);
    }
    // Listing has moved the access times of directories: again, without listing.
    for (const path of this.#directories) utimesSync(path, LONG_AGO, lstatSync(path).mtime);
    for (const path of [...this.#contents.keys(), ...this.#directories]) {
      this.#before.set(path, stateOf(path));
    }
  }

  readonly #directories: string[] = [];

  /** Their inode numbers, links aside. */
  get inodes(): number[] {
    return [...this.#before.keys()].map((path) => lstatSync(path).ino);
  }

  /** What has happened to them: read, listed, changed or deleted. Looks without touching, so it may be called often. */
  disturbed(): string[] {
    return [...this.#before].flatMap(([path, before]) => {
      const now = stateOf(path);
      return now === before ? [] : [`outside, ${path}: was ${before}, is ${now}`];
    });
  }

  /** The same to the last byte and name; touches everything, so only once, at the end. */
  disturbedInDepth(): string[] {
    const found = this.disturbed();
    for (const [path, before] of this.#contents) {
      if (digest(path) !== before) found.push(`outside, ${path}: its content has changed`);
    }
    return found;
  }

  #entries(): string[] {
    const visit = (directory: string): string[] => {
      this.#directories.push(directory);
      return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
        const path = join(directory, entry.name);
        return entry.isDirectory() ? visit(path) : [path];
      });
    };
    return visit(this.directory);
  }
}

/** Access time included. The change time tells of every change of attributes, links and, for a directory, names. */
function stateOf(path: string): string {
  try {
    const { atimeMs, mtimeMs, ctimeMs, size, mode, nlink, ino } = lstatSync(path);
    // The sweep of abandoned uploads lists this one in every vfolder, in its own right.
    const read = basename(path) === '.upload' ? {} : { atimeMs };
    return JSON.stringify({ ...read, mtimeMs, ctimeMs, size, mode, nlink, ino });
  } catch (error) {
    return String(error);
  }
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

/** Whether the filesystem of the canaries keeps access times at all; without, reading is seen in answers only. */
export function keepsAccessTimes(directory: string): boolean {
  const path = join(directory, 'access-time');
  writeFileSync(path, 'x');
  utimesSync(path, LONG_AGO, new Date());
  const before = lstatSync(path).atimeMs;
  readFileSync(path);
  return lstatSync(path).atimeMs !== before;
}
