import type { TreeUsage } from '../../contract/tree-operations.js';
import { ToolError } from './tool-error.js';

const SLASH = 0x2f;

/** The tree shows directories of the array, such as its snapshots, which do not count; the sums hold them. */
export class ReservedEntry extends Error {
  override readonly name = 'ReservedEntry';
}

/**
 * Adds up the records of `pdu -0 -b -a .`: `SIZE<blanks>PATH`, ended by NUL, one for the directory itself. As with du
 * the record of a directory should contain what is below it, but no manual says so: the program is tried before.
 */
export class UsageSum {
  #count = 0;
  #all = 0;
  #direct = 0;
  #root: number | undefined;
  readonly #reserved: ReadonlySet<string>;

  /**
   * `rootBytes` is st_size of the directory itself, which the figures may or may not hold. `isCumulative`: whether
   * records of directories contain what is below them; undefined where that is not known, so that the sums tell,
   * which a directory that changes meanwhile can mislead.
   */
  constructor(
    private readonly rootBytes: number,
    reservedNames: readonly Buffer[] = [],
    private readonly isCumulative?: boolean,
  ) {
    this.#reserved = new Set(reservedNames.map((name) => name.toString('latin1')));
  }

  /** Throws ToolError, or ReservedEntry. */
  add(record: Buffer): void {
    const [, digits, path] = /^(\d+)[ \t]+(.+)$/s.exec(record.toString('latin1')) ?? [];
    if (digits === undefined || path === undefined) throw unreadable(record);
    // Each has a record of its own before or behind those below it.
    if (this.#reserved.has(lastComponent(path))) throw new ReservedEntry();
    const bytes = Number(digits);
    const depth = depthOf(path);
    if (depth === 0) {
      if (this.#root !== undefined) throw unreadable(record);
      this.#root = bytes;
      return;
    }
    this.#count++;
    this.#all += bytes;
    if (depth === 1) this.#direct += bytes;
  }

  get progress(): { readonly entries: number; readonly bytes: number } {
    return { entries: this.#count, bytes: this.#all };
  }

  /** Throws ToolError when the record of the directory itself never came. */
  result(): TreeUsage {
    const root = this.#root;
    if (root === undefined) throw new ToolError('its output lacks the total');
    const isCumulative =
      this.isCumulative ?? (root === this.#direct || root >= this.#direct + this.rootBytes);
    return { fileCount: this.#count, usedBytes: isCumulative ? this.#direct : this.#all };
  }
}

/** Some programs end the path of a directory with a slash. */
function lastComponent(path: string): string {
  const trimmed = path.replace(/\/$/, '');
  return trimmed.slice(trimmed.lastIndexOf('/') + 1);
}

/** 0 for `.` and `./`, 1 for `./name` and `name`. Names hold no `/`, so a path cannot pretend to be another's. */
function depthOf(path: string): number {
  const relative = path.replace(/^\.(\/|$)/, '').replace(/\/$/, '');
  if (relative === '') return 0;
  let depth = 1;
  for (let at = 0; at < relative.length; at++) if (relative.charCodeAt(at) === SLASH) depth++;
  return depth;
}

function unreadable(record: Buffer): ToolError {
  const text = JSON.stringify(record.toString('latin1', 0, 80));
  return new ToolError(`its output cannot be understood: ${text}`);
}
