import { close, open, openSync, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';

const opened = promisify(open);
const closed = promisify(close);

/** Records wait in memory while the sink is slow, up to so many bytes. */
const MAX_WAITING_BYTES = 8 * 1024 * 1024;
const BATCH_BYTES = 256 * 1024;
/** A full pipe takes more when its reader has caught up. */
const AGAIN_MS = 10;
const STDOUT = 1;

export interface LineWriterOptions {
  /** Appended to; standard output when `null`. */
  readonly file: string | null;
  readonly maxWaitingBytes?: number;
  /** Told of lines that could not be kept, with the reason of the system when there is one. */
  readonly onLoss: (lines: number, error?: NodeJS.ErrnoException) => void;
}

/**
 * Appends lines to a file or standard output, beside the event loop: nobody waits, one write is under way at a time,
 * and what does not fit into memory meanwhile is reported as lost. Whole lines go into one write(2) each batch, so
 * several processes may append to one file.
 */
export class LineWriter {
  #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #batch: Buffer[] = [];
  #running: Promise<void> | undefined;

  /** @throws Error of the system when the file cannot be opened */
  constructor(private readonly options: LineWriterOptions) {
    const { file } = options;
    this.#fd = file === null ? STDOUT : openSync(file, 'a', 0o600);
  }

  /** Lines end in a line feed. False when it was lost. */
  write(line: string): boolean {
    const bytes = Buffer.from(line);
    const { maxWaitingBytes = MAX_WAITING_BYTES } = this.options;
    if (this.#waitingBytes + bytes.length > maxWaitingBytes) {
      this.options.onLoss(1);
      return false;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    this.#running ??= this.drain();
    return true;
  }

  /** Goes on in the file that has the name now, after somebody renamed the one before. Rejects, and changes nothing, when there is none. */
  async reopen(): Promise<void> {
    const { file } = this.options;
    if (file === null) return;
    const fresh = await opened(file, 'a', 0o600);
    const stale = this.#fd;
    this.#fd = fresh;
    await this.#running;
    await closed(stale);
  }

  /** Resolves when everything has been written, or lost. */
  async flush(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** Writes what waits at once: for a process that ends. May repeat a batch that is under way. */
  flushNow(): void {
    for (const bytes of [...this.#batch, ...this.#waiting]) {
      try {
        writeSync(this.#fd, bytes);
      } catch {
        return;
      }
    }
  }

  private async drain(): Promise<void> {
    while (this.#waiting.length > 0) {
      this.#batch = this.takeBatch();
      const bytes = Buffer.concat(this.#batch);
      try {
        await writeAll(this.#fd, bytes);
      } catch (error) {
        this.options.onLoss(this.#batch.length, error as NodeJS.ErrnoException);
      }
      this.#waitingBytes -= bytes.length;
      this.#batch = [];
    }
    this.#running = undefined;
  }

  private takeBatch(): Buffer[] {
    let bytes = 0;
    const end = this.#waiting.findIndex((line) => (bytes += line.length) > BATCH_BYTES);
    // A line that is longer than a batch goes alone.
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : Math.max(1, end));
  }
}

async function writeAll(fd: number, bytes: Buffer): Promise<void> {
  for (let written = 0; written < bytes.length;) {
    written += await writeSome(fd, bytes, written);
  }
}

function writeSome(fd: number, bytes: Buffer, from: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, from, (error, count) => {
      if (error === null) resolve(count);
      else if (error.code === 'EAGAIN') setTimeout(resolve, AGAIN_MS, 0);
      else reject(error);
    });
  });
}
