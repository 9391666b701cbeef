import type { DestinationStream } from 'pino';

/** pino's `warn`. */
const WARN = 40;
/** Written at once when so many characters wait, so that a long turn gathers no megabytes. */
const MAX_WAITING = 64 * 1024;
/** pino tells a destination with this member about each line, see `lastLevel`. */
const WANTS_METADATA = Symbol.for('pino.metadata');

/**
 * Writes the lines of one turn of the event loop together: a system call for each costs more than making the line. No
 * line waits while the process sleeps, and from `warn` on none waits at all, nor do those before it. A process that is
 * killed loses at most the lines of the turn it was in; one that exits loses none.
 */
export class GatheredLines implements DestinationStream {
  readonly [WANTS_METADATA] = true;
  /** Of the line that comes next; set by pino. */
  lastLevel = WARN;
  #waiting = '';

  constructor(private readonly sink: DestinationStream) {}

  write(line: string): void {
    if (this.#waiting === '') setImmediate(this.flushSync);
    this.#waiting += line;
    if (this.lastLevel >= WARN || this.#waiting.length >= MAX_WAITING) this.flushSync();
  }

  /** Writes what waits. */
  readonly flushSync = (): void => {
    if (this.#waiting === '') return;
    const lines = this.#waiting;
    this.#waiting = '';
    this.sink.write(lines);
  };
}
