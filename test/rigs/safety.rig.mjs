import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { jestCommand, repository } from './jest-command.mjs';
import { umlPackages } from './uml.mjs';

export const name = 'safety';
export const packages = [...umlPackages, 'bindfs', 'python3', 'python3-venv', 'strace', 'xfsprogs'];

const SCHEMATHESIS = '4.32.5';
/** What comes from PyPI is kept beside the packages. */
const environment = join(repository, 'node_modules', '.cache', `schemathesis-${SCHEMATHESIS}`);
const schemathesis = join(environment, 'bin', 'schemathesis');

/** On this machine itself. Much of it waits, so two suites at a time fill two processors. */
export async function run(jestArguments) {
  const [program, ...command] = jestCommand(name, ['--maxWorkers=2', ...jestArguments]);
  const { status } = spawnSync(program, command, {
    cwd: repository,
    stdio: 'inherit',
    env: { ...process.env, ...prepare() },
  });
  return status ?? 1;
}

/** Installs what comes from PyPI, once. Returns what the suite has to find in its environment. */
export function prepare() {
  if (!existsSync(schemathesis)) install();
  return { STORAGE_PROXY_TEST_SCHEMATHESIS: schemathesis };
}

function install() {
  execFileSync('python3', ['-m', 'venv', environment], { stdio: 'inherit' });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  execFileSync(join(environment, 'bin', 'python'), [...pip, `schemathesis==${SCHEMATHESIS}`], {
    stdio: 'inherit',
  });
}
