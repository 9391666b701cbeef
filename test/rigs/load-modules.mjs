/**
 * Loads kernel modules, each after those it needs, by finit_module(2): the guest's root has no insmod that finds them.
 *
 *   node load-modules.mjs MODULE…
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

const SYS_finit_module = 313; // x86-64
const EEXIST = 17;

const folder = join('/usr/lib/uml/modules', release());
const call = koffi
  .load(null)
  .func('long syscall(long number, int fd, const char *options, int flags)');

/** `modules.dep`: a path, a colon, and the paths of what it needs, the nearest first. */
const needs = new Map(
  readFileSync(join(folder, 'modules.dep'), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [path, rest] = line.split(':');
      return [path, rest.trim().split(' ').filter(Boolean)];
    }),
);

for (const name of process.argv.slice(2)) {
  const path = [...needs.keys()].find((each) => each.endsWith(`/${name}.ko`));
  if (path === undefined) throw new Error(`There is no module ${name} in ${folder}`);
  for (const each of [...needs.get(path).toReversed(), path]) load(each);
}

function load(path) {
  const fd = openSync(join(folder, path), 'r');
  try {
    if (call(SYS_finit_module, fd, '', 0) < 0 && koffi.errno() !== EEXIST) {
      throw new Error(`${path} cannot be loaded (errno ${koffi.errno()})`);
    }
  } finally {
    closeSync(fd);
  }
}
