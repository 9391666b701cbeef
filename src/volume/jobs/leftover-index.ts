import { Injectable } from '@nestjs/common';
import type { Volume } from '../volume.js';
import type { Job } from './job.js';
import { jobOf, newRecord } from './job-record.js';
import { scanJournal } from './journal-scan.js';

/** On volumes with very many quota scopes a scan takes longer than anybody waits; the next one asking has it. */
const PATIENCE_MS = 2_000;
const FRESH_MS = 10_000;

interface Scan {
  readonly jobs: Promise<readonly Job[]>;
  readonly begunAtMs: number;
}

/** Deletions seen in the trash alone: their records could not be written, or are still to be. */
@Injectable()
export class LeftoverIndex {
  readonly #scans = new Map<string, Scan>();

  /** At most some seconds old. Empty when it takes too long to find out. */
  async deletions(volume: Volume): Promise<readonly Job[]> {
    const known = this.#scans.get(volume.name);
    const isFresh = known && performance.now() - known.begunAtMs < FRESH_MS;
    const scan = isFresh ? known : { jobs: scanDeletions(volume), begunAtMs: performance.now() };
    this.#scans.set(volume.name, scan);
    // A volume that fails now is looked at again by the next one asking.
    scan.jobs.catch(() => this.#scans.delete(volume.name));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<readonly Job[]>((resolve) => {
      timer = setTimeout(resolve, PATIENCE_MS, []);
    });
    try {
      return await Promise.race([scan.jobs, late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function scanDeletions(volume: Volume): Promise<readonly Job[]> {
  const jobs: Job[] = [];
  for await (const leftover of scanJournal(volume.strategies.trees)) {
    if (leftover.kind !== 'deletion') continue;
    const { jobId: id, vfolder } = leftover.name;
    const manifest = { kind: 'delete_vfolder', place: leftover.place, inode: null } as const;
    jobs.push(jobOf(newRecord({ id, volume: volume.name, vfolder: vfolder.toString(), manifest })));
  }
  return jobs;
}
