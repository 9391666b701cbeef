import { spawnSync } from 'node:child_process';
import { jestCommand, repository } from './jest-command.mjs';
import { umlPackages } from './uml.mjs';

export const name = 'safety';
export const packages = [...umlPackages, 'bindfs', 'strace', 'xfsprogs'];

/** On this machine itself. Much of it waits, so two suites at a time fill two processors. */
export async function run(jestArguments) {
  const [program, ...command] = jestCommand(name, ['--maxWorkers=2', ...jestArguments]);
  const { status } = spawnSync(program, command, { cwd: repository, stdio: 'inherit' });
  return status ?? 1;
}
