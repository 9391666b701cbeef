import { accessSync, chmodSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const RUN = '/run';
/** Others may pass, not look: the workers are others. */
const PASSABLE = 0o711;

/** Where an agent listens that only one `serve` uses. */
export class PrivateSocket {
  readonly #directory: string;

  constructor() {
    this.#directory = mkdtempSync(join(isWritable(RUN) ? RUN : tmpdir(), 'storage-proxy-'));
    chmodSync(this.#directory, PASSABLE);
  }

  get path(): string {
    return join(this.#directory, 'agent.sock');
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
