import type { Beneath } from '../../native/beneath.js';
import { loggerFor } from '../../observability/logger.js';
import { stagingPath } from '../ids/layout.js';
import type { QuotaScopeId } from '../ids/quota-scope-id.js';
import type { Volume } from '../volume.js';
import type { JobRecord } from './job-record.js';
import { listAll } from './listing.js';
import { ignoreMissing } from './proxy-files.js';
import {
  beneathStaging,
  cloneStagingPath,
  discardedPath,
  parseStagingName,
  type StagingName,
} from './staging-name.js';

const log = loggerFor('jobs');

type Turn = Pick<JobRecord, 'id' | 'takeovers'>;

/**
 * The staging directory of a clone after so many takeovers, and those of its predecessors, who may only be slow
 * and still write to theirs.
 */
export class CloneStaging {
  readonly path: Buffer;

  constructor(
    private readonly volume: Volume,
    private readonly scope: QuotaScopeId,
    private readonly turn: Turn,
  ) {
    this.path = cloneStagingPath(scope, turn);
  }

  /** From then on predecessors cannot place theirs, unless they have done so before. */
  async discardPredecessors(root: Beneath): Promise<void> {
    const { id } = this.turn;
    for (let takeovers = 0; takeovers < this.turn.takeovers; takeovers++) {
      const path = cloneStagingPath(this.scope, { id, takeovers });
      await ignoreMissing(root.rename(path, discardedPath(this.scope, id)));
    }
  }

  /** Gives room back. What a slow host still writes to may stay, for the next scan after the end of the job. */
  async removeDiscarded(): Promise<void> {
    try {
      await this.remove(({ takeovers }) => takeovers === null);
    } catch (error) {
      log.warn('what another host staged was not removed', { job: this.turn.id, err: error });
    }
  }

  /** Removes everything but what a successor makes. */
  async removeAll(): Promise<void> {
    await this.remove(({ takeovers }) => takeovers === null || takeovers <= this.turn.takeovers);
  }

  private async remove(isMeant: (name: StagingName) => boolean): Promise<void> {
    const { trees } = this.volume.strategies;
    for await (const entries of listAll(trees, stagingPath(this.scope))) {
      for (const { name } of entries) {
        const parsed = parseStagingName(name.toString());
        if (parsed?.jobId !== this.turn.id || !isMeant(parsed)) continue;
        await trees.remove({ path: beneathStaging(this.scope, name.toString()) });
      }
    }
  }
}
