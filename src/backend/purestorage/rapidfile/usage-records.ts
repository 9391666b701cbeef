import type { TreeUsage } from '../../contract/tree-operations.js';
import { ToolError } from './tool-error.js';

const SLASH = 0x2f;

/** The tree shows directories of the array, such as its snapshots, which do not count; the sums hold them. */
export class ReservedEntry extends Error {
  override readonly name = 'ReservedEntry';
}

/**
 * Adds up the records of `pdu -0 -b -a .`: `SIZE<blanks>PATH`, ended by NUL, one for the directory itself, which says
 * that they are complete. As with du the record of a directory should contain what is below it, but no manual says
 * so: the program is tried before.
 */
export class UsageSum {
  #count = 0;
  #all = 0;
  #direct = 0;
  #hasTotal = false;
  readonly #reserved: ReadonlySet<string>;

  /** `isCumulative`: records of directories contain what is below them. */
  constructor(
    private readonly isCumulative: boolean,
    reservedNames: readonly Buffer[] = [],
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
      if (this.#hasTotal) throw unreadable(record);
      this.#hasTotal = true;
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
    if (!this.#hasTotal) throw new ToolError('its output lacks the total');
    return { fileCount: this.#count, usedBytes: this.isCumulative ? this.#direct : this.#all };
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
