import type { TreeProgress, TreeTaskOptions } from '../contract/tree-task.js';
import { together } from './together.js';

/** A part that goes on until it is stopped. */
function untilStopped({ signal }: TreeTaskOptions): Promise<never> {
  return new Promise((_, reject) => {
    signal!.addEventListener('abort', () => reject(signal!.reason as Error), { once: true });
  });
}

describe('together', () => {
  it('gives the results in order', async () => {
    expect(await together(3, {}, async (index) => index * 10)).toEqual([0, 10, 20]);
  });

  it('stops the other parts when one fails, and tells why it did', async () => {
    const reason = new Error('broken');
    let ended = 0;
    const running = together(3, {}, async (index, options) => {
      try {
        if (index === 1) throw reason;
        return await untilStopped(options);
      } finally {
        ended++;
      }
    });
    await expect(running).rejects.toBe(reason);
    expect(ended).toBe(3);
  });

  it('stops all parts when it is cancelled', async () => {
    const controller = new AbortController();
    const running = together(2, { signal: controller.signal }, (_, options) =>
      untilStopped(options),
    );
    const reason = new Error('cancelled');
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
  });

  it('adds up the progress of the parts', async () => {
    const told: TreeProgress[] = [];
    const onProgress = (progress: TreeProgress): void => void told.push({ ...progress });
    await together(2, { onProgress }, async (index, options) => {
      options.onProgress!({ entries: 1, bytes: 10 });
      options.onProgress!({ entries: 2 + index, bytes: 20 });
    });
    expect(told).toEqual([
      { entries: 1, bytes: 10 },
      { entries: 2, bytes: 20 },
      { entries: 3, bytes: 30 },
      { entries: 5, bytes: 40 },
    ]);
  });
});
