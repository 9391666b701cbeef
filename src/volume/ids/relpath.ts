import { StorageError } from '../../errors/storage-error.js';
import { bytesToPath, pathToBytes } from '../../grammar/path-bytes.js';
import { UPLOAD_DIRECTORY } from './layout.js';

/** NAME_MAX, and PATH_MAX without its terminator (limits.h). */
const MAX_COMPONENT_BYTES = 255;
const MAX_PATH_BYTES = 4095;
const SLASH = Buffer.from('/');
const HERE = Buffer.from('.');

/**
 * A path inside a vfolder, in normal form: no empty, `.` or `..` components. `..` is resolved by its text,
 * so that what reaches the kernel cannot climb; symlinks are the business of `native/beneath.ts`.
 */
export class RelPath {
  static readonly root = new RelPath([]);

  private constructor(
    /** Raw bytes of each component; none for the vfolder itself. */
    readonly parts: readonly Buffer[],
  ) {}

  /**
   * `''` equals `'.'`.
   *
   * @throws StorageError INVALID_ARGUMENT for an absolute path, a NUL, or a name the kernel would not take;
   *   OUTSIDE_VFOLDER when `..` leaves the vfolder. Messages are reasons, fit for `data: { member: reason }`.
   */
  static parse(text: string): RelPath {
    if (text.startsWith('/')) throw invalid('expected relative path but the value is absolute');
    if (text.includes('\0')) throw invalid('the path holds a NUL character');
    const parts: Buffer[] = [];
    for (const component of text.split('/')) {
      if (component === '' || component === '.') continue;
      if (component !== '..') parts.push(nameBytes(component));
      else if (parts.pop() === undefined) throw outside(text);
    }
    return new RelPath(parts).checked();
  }

  /** A path from a client: `.upload` belongs to the proxy and is refused as its first component. */
  static parseClient(text: string): RelPath {
    const path = RelPath.parse(text);
    if (path.isReserved) throw invalid(`"${UPLOAD_DIRECTORY}" is reserved for running uploads`);
    return path;
  }

  /**
   * One component, for example the new name of a renamed entry.
   *
   * @throws StorageError INVALID_ARGUMENT when it is empty, `.`, `..`, holds a `/` or NUL, or is too long
   */
  static parseName(text: string): Buffer {
    if (text === '' || text === '.' || text === '..')
      throw invalid('expected the name of an entry');
    if (text.includes('/')) throw invalid('a name must not hold a "/"');
    if (text.includes('\0')) throw invalid('a name must not hold a NUL character');
    return nameBytes(text);
  }

  /** The vfolder itself. */
  get isRoot(): boolean {
    return this.parts.length === 0;
  }

  /** Whether it is, or lies below, the directory of running uploads. */
  get isReserved(): boolean {
    return this.parts[0]?.equals(Buffer.from(UPLOAD_DIRECTORY)) ?? false;
  }

  /** The last component; throws INVALID_ARGUMENT for the root, which has none. */
  get name(): Buffer {
    const name = this.parts.at(-1);
    if (name === undefined) throw invalid('the vfolder itself has no name');
    return name;
  }

  /**
   * The same in memory of its own, to be kept for long: a name of a parsed path lies in a pool that Node shares out, and
   * keeps all 8 KiB of it.
   */
  detached(): RelPath {
    return new RelPath(
      this.parts.map((part) => {
        const own = Buffer.allocUnsafeSlow(part.length);
        part.copy(own);
        return own;
      }),
    );
  }

  /** The root is its own parent. */
  parent(): RelPath {
    return new RelPath(this.parts.slice(0, -1));
  }

  /** One further component, or a whole path below this one. */
  join(below: RelPath | Buffer): RelPath {
    const more = Buffer.isBuffer(below) ? [below] : below.parts;
    return new RelPath([...this.parts, ...more]).checked();
  }

  /** Whether this is `other` or lies below it. */
  startsWith(other: RelPath): boolean {
    return other.parts.every((part, index) => this.parts[index]?.equals(part) ?? false);
  }

  equals(other: RelPath): boolean {
    return this.parts.length === other.parts.length && this.startsWith(other);
  }

  /** `a/b`, or `.` for the root: what system calls take. */
  toBytes(): Buffer {
    if (this.isRoot) return HERE;
    if (this.parts.length === 1) return this.parts[0]!;
    return Buffer.concat(this.parts.flatMap((part, at) => (at === 0 ? [part] : [SLASH, part])));
  }

  /** The same as text; bytes that are not UTF-8 are lone surrogates. `parse` of it gives this path again. */
  toString(): string {
    return bytesToPath(this.toBytes());
  }

  private checked(): this {
    if (this.toBytes().length > MAX_PATH_BYTES) {
      throw invalid(`the path is longer than ${MAX_PATH_BYTES} bytes`);
    }
    return this;
  }
}

function nameBytes(component: string): Buffer {
  const bytes = pathToBytes(component);
  if (bytes.length > MAX_COMPONENT_BYTES) {
    throw invalid(`a name is longer than ${MAX_COMPONENT_BYTES} bytes`);
  }
  return bytes;
}

function invalid(reason: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', reason, { subject: 'request' });
}

function outside(text: string): StorageError {
  return new StorageError('OUTSIDE_VFOLDER', undefined, { subject: 'entry', paths: [text] });
}
