const WIDTH = 30;
const REDRAW_MS = 100;
/** Carriage return, and erase to the end of the line. */
const CLEAR = '\r\u001b[K';

/** A line on a terminal that is drawn over and over; nothing where output goes to a file or a pipe. */
export class ProgressBar {
  #drawnAt = 0;
  #isShown = false;

  constructor(
    private readonly output: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>,
    private readonly label: string,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** `expected` may be too small, or 0 when nobody knows. */
  show(done: number, expected: number): void {
    if (!this.output.isTTY || this.now() - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = this.now();
    this.#isShown = true;
    const share = expected > 0 ? Math.min(1, done / expected) : 0;
    const filled = Math.round(share * WIDTH);
    const bar = '#'.repeat(filled) + '-'.repeat(WIDTH - filled);
    const percent = String(Math.floor(share * 100)).padStart(3);
    this.output.write(`${CLEAR}${this.label} [${bar}] ${percent} % ${done} entries`);
  }

  /** Makes room for other lines. */
  clear(): void {
    if (!this.#isShown) return;
    this.#isShown = false;
    this.output.write(CLEAR);
  }
}
