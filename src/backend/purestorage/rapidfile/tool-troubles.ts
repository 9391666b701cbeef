import { loggerFor } from '../../../observability/logger.js';
import type { ToolError } from './tool-error.js';

/** How long a failure is told of in the volume's health. */
const TOLD_MS = 600_000;

/**
 * Failures of the toolkit's programs on one volume. The plain walk does their work, so a request does not fail with
 * them; the operator hears of each.
 */
export class ToolTroubles {
  readonly #log = loggerFor('rapidfile');
  #last: { readonly text: string; readonly at: number } | undefined;

  constructor(
    private readonly volume: string,
    private readonly now: () => number = Date.now,
  ) {}

  /** `doing` completes "while …". */
  note(error: ToolError, doing: string): void {
    const text = `RapidFile Toolkit, while ${doing}: ${error.message}`;
    this.#last = { text, at: this.now() };
    this.#log.warn(`${text}. Plain system calls do the work instead`, { volume: this.volume });
  }

  /** A directory that the toolkit cannot be asked about; nothing is wrong with the toolkit. */
  noteUncertainName(): void {
    this.#log.warn(
      'A directory holds a name that the RapidFile Toolkit cannot tell for certain. It is read with plain system calls instead',
      { volume: this.volume },
    );
  }

  /** For the volume's health: the last failure, while it is not long ago. */
  recent(): readonly string[] {
    return this.#last && this.now() - this.#last.at < TOLD_MS ? [this.#last.text] : [];
  }
}
