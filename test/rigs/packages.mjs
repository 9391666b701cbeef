import { execFileSync, spawnSync } from 'node:child_process';

/**
 * Makes sure that the Debian packages are there, by apt when this process may. Throws Error naming what is missing
 * otherwise.
 *
 * @param {readonly string[]} packages
 * @param {string} purpose what needs them, for the message
 */
export async function provision(packages, purpose) {
  const missing = packages.filter((name) => !isInstalled(name));
  if (missing.length === 0) return;
  if (process.getuid() !== 0) {
    throw new Error(
      `The ${purpose} suite needs ${missing.join(' ')}: sudo apt-get install ${missing.join(' ')}`,
    );
  }
  const options = {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  };
  execFileSync('apt-get', ['update', '-qq'], options);
  execFileSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options);
}

function isInstalled(name) {
  const { status, stdout } = spawnSync('dpkg-query', ['-W', '-f', '${Status}', name]);
  return status === 0 && stdout.toString().startsWith('install ok installed');
}
