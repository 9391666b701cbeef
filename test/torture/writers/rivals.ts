import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Random } from '../random.js';
import { jsonOf, type Outcome, type Wire } from '../wire.js';
import type { Observed } from './linearizable.js';
import { bodyOf, keptOf, type UploadOperation } from './upload-model.js';

const RIVALS = 4;
const MOST_OPERATIONS = 250;
const LARGEST_PIECE = 48 * 1024;
const OFFSET_MISMATCH = 'Upload Offset Mismatch';

interface Sent {
  readonly start: number;
  readonly end: number;
  readonly writer: number;
  readonly from: number;
  readonly length: number;
  readonly outcome: Outcome;
}

/** Clients that all have the token of one upload, know nothing of each other, and each want to finish it. */
export class Rivals {
  readonly #heads: Observed<UploadOperation>[] = [];
  readonly #sent: Sent[] = [];
  #writers = 0;

  constructor(
    /** Ways to the upload, through several proxies; each request takes any of them. */
    private readonly wires: readonly Wire[],
    private readonly random: Random,
    private readonly upload: { readonly token: string; readonly sizeBytes: number },
  ) {}

  /** Resolves when the upload is whole. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: RIVALS }, () => this.rival()));
    await this.finishAlone();
  }

  /** What everybody saw, given the file that came of it. */
  history(path: string): { file: Buffer; history: Observed<UploadOperation>[] } {
    const file = readFileSync(path);
    const patches = this.#sent.map((sent) => observed(sent, file));
    return { file, history: [...this.#heads, ...patches] };
  }

  private async rival(): Promise<void> {
    let offset = 0;
    for (;;) {
      const told = await this.head();
      if (told !== undefined) offset = told;
      if (offset === this.upload.sizeBytes || this.#writers >= MOST_OPERATIONS) return;
      // Others have been faster by the time it sends; now and then it does not even look.
      const pieces = this.random.chance(0.2) ? 2 : 1;
      for (let piece = 0; piece < pieces && offset < this.upload.sizeBytes; piece++) {
        const after = await this.patch(offset);
        if (after === undefined) break;
        offset = after;
      }
      await sleep(this.random.between(0, 20));
    }
  }

  /** Each of the last operations may have lost its race, or its worker. */
  private async finishAlone(): Promise<void> {
    for (;;) {
      const offset = await this.head();
      if (offset === this.upload.sizeBytes) return;
      if (offset === undefined) await sleep(50);
      else await this.patch(offset);
    }
  }

  private async head(): Promise<number | undefined> {
    const start = performance.now();
    const { status, headers } = await this.wire().client('HEAD', '/upload', this.query);
    if (status !== 200) return undefined;
    const offset = Number(headers['upload-offset']);
    this.#heads.push({ start, end: performance.now(), operation: { kind: 'head', offset } });
    return offset;
  }

  private async patch(from: number): Promise<number | undefined> {
    const left = this.upload.sizeBytes - from;
    // The last operations finish the upload.
    const isLast = ++this.#writers >= MOST_OPERATIONS - RIVALS;
    const writer = this.#writers;
    const length = isLast ? left : Math.min(left, this.random.between(1, LARGEST_PIECE));
    const breaksOffAfterMs = !isLast && this.random.chance(0.2) ? this.random.between(1, 15) : 0;
    const start = performance.now();
    const outcome = await this.wire().client('PATCH', '/upload', this.query, {
      headers: { 'upload-offset': from },
      body: bodyOf(writer, from, length),
      started: (outgoing) => {
        if (breaksOffAfterMs > 0) setTimeout(() => outgoing.destroy(), breaksOffAfterMs);
      },
    });
    this.#sent.push({ start, end: performance.now(), writer, from, length, outcome });
    return outcome.status === 204 ? Number(outcome.headers['upload-offset']) : undefined;
  }

  private wire(): Wire {
    return this.random.pick(this.wires);
  }

  private get query(): { token: string } {
    return { token: this.upload.token };
  }
}

function observed(sent: Sent, file: Buffer): Observed<UploadOperation> {
  const { start, writer, from, length, outcome } = sent;
  const end = outcome.status === 0 ? Infinity : sent.end;
  if (outcome.status === 409 && jsonOf(outcome)['title'] === OFFSET_MISMATCH) {
    return { start, end, operation: { kind: 'mismatch', from } };
  }
  const told = outcome.status === 204 ? Number(outcome.headers['upload-offset']) : undefined;
  const kept = keptOf(file, writer, from, length);
  return { start, end, operation: { kind: 'patch', writer, from, kept, told } };
}
