import { isEnd, type Job, type JobId } from './job.js';
import type { JobFeed } from './job-feed.js';

/** News come over the feed; this is for news that were lost, and for jobs of other hosts. */
const POLL_MS = 2_000;

export interface WatchSource {
  readonly feed: JobFeed;
  /** The newest view that can be found; `undefined` when the job is not known any more. */
  readonly find: () => Promise<Job | undefined>;
  readonly signal?: AbortSignal;
  readonly pollMs?: number;
}

/** See `Jobs.watch`. Ends early when the signal is aborted, or the job is forgotten. */
export async function* watchJob(
  id: JobId,
  { feed, find, signal, pollMs = POLL_MS }: WatchSource,
): AsyncGenerator<Job, void, undefined> {
  const inbox = new Inbox();
  const unwatch = feed.watch(id, (job) => inbox.put(job));
  try {
    let shown: Job | undefined;
    for (;;) {
      const job = inbox.take() ?? (await find());
      if (job === undefined || signal?.aborted) return;
      if (shown === undefined || isNews(job, shown)) {
        shown = job;
        yield job;
      }
      if (isEnd(shown.state)) return;
      await inbox.wait(pollMs, signal);
    }
  } finally {
    unwatch();
  }
}

/** Holds the newest view until it is taken. */
class Inbox {
  #newest: Job | undefined;
  #wake: (() => void) | undefined;

  put(job: Job): void {
    this.#newest = job;
    this.#wake?.();
  }

  take(): Job | undefined {
    const job = this.#newest;
    this.#newest = undefined;
    return job;
  }

  /** Resolves when there is something to take, after `timeoutMs`, or when the signal is aborted. */
  async wait(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    if (this.#newest || signal?.aborted) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal?.addEventListener('abort', this.#wake, { once: true });
    });
    if (this.#wake) signal?.removeEventListener('abort', this.#wake);
    this.#wake = undefined;
  }
}

function isNews(job: Job, shown: Job): boolean {
  if (job.updatedAt < shown.updatedAt && !isEnd(job.state)) return false;
  const { state, attempts, progress } = shown;
  return (
    job.state !== state ||
    job.attempts !== attempts ||
    job.progress.entries !== progress.entries ||
    job.progress.bytes !== progress.bytes ||
    job.progress.totalBytes !== progress.totalBytes
  );
}
