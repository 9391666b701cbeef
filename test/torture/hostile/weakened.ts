import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What check-then-use looks like: the path is resolved once to see that it stays inside, and then once more to use it.
 * Between the two is a hop through the thread pool.
 */
const CHECK_THEN_USE = `
async function checkThenUse(fd, path, flags, mode) {
    const check = await calls.openat2(fd, path, O_PATH | O_CLOEXEC, 0, CONFINED).catch((error) => {
        if (!(flags & O_CREAT) || !isErrno(error, Errno.ENOENT)) throw error;
    });
    if (check !== undefined) closeAnchor(check);
    return calls.openat2(fd, path, flags, mode, 0);
}
`;

export interface WeakenedBuild {
  readonly dist: string;
  readonly main: string;
}

/**
 * A copy of the built product in `directory` that checks paths before it uses them, as programs without openat2(2) do;
 * the one that is there already, if any. Throws when the product has changed so that this cannot be done to it any more.
 */
export function weakenedBuild(directory: string): WeakenedBuild {
  const dist = join(directory, 'dist');
  const build = { dist, main: join(dist, 'main.js') };
  if (existsSync(directory)) return build;
  mkdirSync(directory, { recursive: true });
  cpSync('dist', dist, { recursive: true });
  for (const name of ['node_modules', 'package.json']) {
    symlinkSync(join(process.cwd(), name), join(directory, name));
  }
  const file = join(dist, 'native', 'beneath.js');
  const original = readFileSync(file, 'utf8');
  let uses = 0;
  const weakened = original.replaceAll(
    /calls\.openat2\(([^;]*?), this\.resolve\)/g,
    (_, parameters: string) => {
      uses++;
      return `checkThenUse(${parameters})`;
    },
  );
  if (uses === 0) throw new Error(`no confined call was found in ${file}`);
  writeFileSync(file, weakened + CHECK_THEN_USE);
  return build;
}
