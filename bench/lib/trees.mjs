import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `directories` × `files` files of `bytes` bytes each below `root`, which is made. */
export function makeTree(root, { directories, files, bytes = 0 }) {
  const content = Buffer.alloc(bytes, 'storage proxy ');
  for (let d = 0; d < directories; d++) {
    const directory = join(root, `directory-${d}`);
    mkdirSync(directory, { recursive: true });
    for (let f = 0; f < files; f++) {
      const path = join(directory, `file-${f}.bin`);
      if (bytes > 0) writeFileSync(path, content);
      else closeSync(openSync(path, 'w'));
    }
  }
}

/** The seconds that `work` takes, and its result. */
export async function clocked(work) {
  const start = performance.now();
  const result = await work();
  return { seconds: (performance.now() - start) / 1000, result };
}
