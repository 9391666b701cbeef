import fs from 'node:fs';
import type { TreeOperations } from '../../../src/backend/contract/tree-operations.js';
import type { TreeProgress } from '../../../src/backend/contract/tree-task.js';
import { HERE, location, type BackendHost, type OpenVolume } from './backend-under-test.js';
import { descriptorsBelow, makeWideTree } from './trees.js';

const FILES = 100;

/** Cancellation, progress, backpressure, and living beside each other. */
export function describeTasks(host: BackendHost): void {
  // More than the batches that a walk makes ahead of its reader.
  const DIRECTORIES = host.subject.isSlow ? 40 : 100;
  const ENTRIES = DIRECTORIES * (FILES + 1);
  let volume: OpenVolume;
  let trees: TreeOperations;
  const tree = location('tree');

  beforeAll(async () => {
    volume = await host.open();
    ({ trees } = volume.strategies);
    makeWideTree(volume.at('tree'), DIRECTORIES, FILES);
  });
  afterAll(() => volume.close());
  afterEach(async () => {
    // A loop that was left says so to the thread; it hears of it in its next turn.
    for (let attempt = 0; attempt < 100 && open().length > 0; attempt++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(open()).toEqual([]);
  });

  const open = (): string[] => descriptorsBelow(volume.disk.path);
  const aborted = (): AbortSignal => AbortSignal.abort(new Error('never mind'));

  it.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['list', (signal) => trees.list(tree, HERE, { limit: 0, signal })],
    ['scan', (signal) => collect(trees.scan(tree, HERE, { signal }))],
    ['usage', (signal) => trees.usage(tree, { signal })],
    ['copy', (signal) => trees.copy(tree, location('copy'), { signal })],
    ['remove', (signal) => trees.remove(tree, { signal })],
    ['removeEntry', (signal) => trees.removeEntry(tree, Buffer.from('0'), { signal })],
  ])('%s does nothing when it was cancelled before, and gives the reason', async (_, start) => {
    await expect(start(aborted())).rejects.toThrow('never mind');
    expect(fs.existsSync(volume.at('copy'))).toBe(false);
    expect(fs.readdirSync(volume.at('tree'))).toHaveLength(DIRECTORIES);
  });

  /** Whether a removal that is cancelled a moment after it began was not over by then. */
  async function isStoppedInTime(): Promise<boolean> {
    makeWideTree(volume.at('doomed'), host.subject.isSlow ? 5 : 50, 100);
    const controller = new AbortController();
    const removing = trees.remove(location('doomed'), { signal: controller.signal });
    const timer = setTimeout(() => controller.abort(new Error('stop')), 5);
    try {
      await removing;
      return false;
    } catch (error) {
      expect(error).toEqual(new Error('stop'));
      return true;
    } finally {
      clearTimeout(timer);
    }
  }

  it('stops at the next entry when it is cancelled', async () => {
    await inOneOfSomeTries(isStoppedInTime);
    const left = fs.readdirSync(volume.at('doomed'), { recursive: true }).length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fs.readdirSync(volume.at('doomed'), { recursive: true })).toHaveLength(left);
    await trees.remove(location('doomed'));
  });

  it('reports progress that only grows, and all of it at the end', async () => {
    const seen: TreeProgress[] = [];
    const { fileCount, usedBytes } = await trees.usage(tree, {
      exact: true,
      onProgress: (progress) => seen.push({ ...progress }),
    });
    expect(fileCount).toBe(ENTRIES);
    expect(seen.at(-1)).toEqual({ entries: ENTRIES, bytes: usedBytes });
    const counts = seen.map(({ entries }) => entries);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
  });

  it('stops reading while nobody asks for the next batch', async () => {
    let entries = 0;
    let scanned = 0;
    const onProgress = (progress: TreeProgress): void => void (entries = progress.entries);
    const scan = trees.scan(tree, HERE, { onProgress })[Symbol.asyncIterator]();
    scanned += (await scan.next()).value!.length;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(entries).toBeLessThan(ENTRIES);
    for (;;) {
      const { done, value } = await scan.next();
      if (done) break;
      scanned += value.length;
    }
    expect(scanned).toBe(ENTRIES);
  });

  it('stops a scan whose loop is left', async () => {
    for await (const batch of trees.scan(tree, HERE)) {
      expect(batch.length).toBeGreaterThan(0);
      break;
    }
  });

  it('lists a directory while many long tasks run', async () => {
    await inOneOfSomeTries(async () => {
      const controller = new AbortController();
      const { signal } = controller;
      let ended = 0;
      const crowd = Array.from({ length: 8 }, async () => {
        await trees.usage(tree, { exact: true, signal });
        ended++;
      });
      const listing = await trees.list(tree, Buffer.from('0'), { limit: 10 });
      // Each of the others has the thread for some ten milliseconds at a time, and then it is the listing's turn.
      const endedBefore = ended;
      controller.abort();
      await Promise.allSettled(crowd);
      expect(listing.entries).toHaveLength(10);
      return endedBefore < 8;
    });
  });

  it('keeps the event loop free', async () => {
    const some = host.subject.isSlow ? location('tree/0') : tree;
    await inOneOfSomeTries(async () => {
      let ticks = 0;
      const ticking = setInterval(() => ticks++, 1);
      await trees.copy(some, location('copied'));
      await trees.remove(location('copied'));
      clearInterval(ticking);
      return ticks > 20;
    });
  });
}

/** This process may stand still on a busy machine while its threads go on, which spoils a try, but not all of them. */
async function inOneOfSomeTries(holds: () => Promise<boolean>): Promise<void> {
  for (let left = 10; left > 0; left--) if (await holds()) return;
  throw new Error('it never held');
}

async function collect<T>(batches: AsyncIterable<readonly T[]>): Promise<T[]> {
  const all: T[] = [];
  for await (const batch of batches) all.push(...batch);
  return all;
}
