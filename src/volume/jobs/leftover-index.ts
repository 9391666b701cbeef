import { Injectable } from '@nestjs/common';
import type { Volume } from '../volume.js';
import type { Job } from './job.js';
import { jobOf, newRecord } from './job-record.js';
import { scanJournal } from './journal-scan.js';

/** On volumes with very many quota scopes a scan takes longer than anybody waits; the next one asking has it. */
const PATIENCE_MS = 2_000;
const FRESH_MS = 10_000;
/** However often it is asked, scanning takes no more than this part of the time. */
const DUTY = 1 / 20;

interface Scan {
  readonly jobs: Promise<readonly Job[]>;
  staleAtMs: number;
}

/** Deletions seen in the trash alone: their records could not be written, or are still to be. */
@Injectable()
export class LeftoverIndex {
  readonly #scans = new Map<string, Scan>();

  /** At most some seconds old. Empty when it takes too long to find out. */
  async deletions(volume: Volume): Promise<readonly Job[]> {
    const known = this.#scans.get(volume.name);
    const scan = known && performance.now() < known.staleAtMs ? known : this.scan(volume);
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

  private scan(volume: Volume): Scan {
    const begunAtMs = performance.now();
    const scan: Scan = { jobs: scanDeletions(volume), staleAtMs: Infinity };
    this.#scans.set(volume.name, scan);
    const settled = (keepMs: number): void => {
      scan.staleAtMs = begunAtMs + keepMs;
    };
    scan.jobs.then(
      () => settled(Math.max(FRESH_MS, (performance.now() - begunAtMs) / DUTY)),
      // A volume that fails now is looked at again by the next one asking.
      () => settled(0),
    );
    return scan;
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
