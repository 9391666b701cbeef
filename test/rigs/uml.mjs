import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** What every guest suite needs. */
export const umlPackages = ['user-mode-linux'];

/**
 * Boots Debian's User-Mode-Linux kernel on this machine's own root filesystem (hostfs) and runs a command in it as
 * root: real kernel filesystems without any privilege out here. One CPU, loopback network only, system calls some
 * 50 times dearer than outside. /tmp, /run and /mnt are the guest's own; everything else is the host's, written to
 * with the rights of the user who started this.
 *
 * @param {object} guest
 * @param {readonly string[]} guest.command program and arguments
 * @param {string} guest.cwd
 * @param {Readonly<Record<string, string>>} [guest.env]
 * @param {readonly ({ readonly bytes: number, readonly prepare?: (path: string) => void } | { readonly image: string })[]}
 *   [guest.disks] sparse images, /dev/ubda, /dev/ubdb and so on in the guest; `prepare` may make a filesystem on one
 *   beforehand. One that has a name of its own is there already, and stays
 * @param {string} [guest.setup] shell lines run before the command, with `set -e`
 * @param {string} [guest.memory]
 * @param {number} [guest.timeoutMs] then the guest is killed, and 124 is returned
 * @param {AbortSignal} [guest.signal] kills it at once, as a power failure would: 137 is returned
 * @param {(text: string) => void} [guest.onOutput] takes what the guest says, which otherwise goes to standard output
 * @returns {Promise<number>} the command's exit status; 70 when the guest did not get as far
 */
export async function bootUml({
  command,
  cwd,
  env = {},
  disks = [],
  setup = '',
  memory = '2G',
  timeoutMs = 15 * 60_000,
  signal,
  onOutput,
}) {
  const work = mkdtempSync(join(tmpdir(), 'uml-'));
  try {
    const images = disks.map((disk, index) => {
      const image = disk.image ?? makeImage(join(work, `disk${index}`), disk);
      return `ubd${String.fromCharCode(0x61 + index)}=${image}`;
    });
    writeGuestScripts(work, { command, cwd, env, setup });
    const kernel = [
      `mem=${memory}`,
      ...images,
      'rootfstype=hostfs',
      'rootflags=/',
      'rw',
      `init=${join(work, 'init')}`,
      'con=null',
      'con0=null,fd:1',
      'ssl=null',
      'quiet',
    ];
    const outcome = await boot(kernel, { timeoutMs, signal, onOutput });
    if (outcome === 'late') return 124;
    return outcome === 'killed' ? 137 : readStatus(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function makeImage(path, { bytes, prepare }) {
  writeFileSync(path, '');
  truncateSync(path, bytes);
  prepare?.(path);
  return path;
}

function writeGuestScripts(work, { command, cwd: directory, env, setup }) {
  const cwd = resolve(directory);
  const exports = Object.entries({
    HOME: '/root',
    PATH: `${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
    CI: process.env.CI ?? '',
    ...env,
  }).map(([name, value]) => `export ${name}=${quote(value)}`);
  const main = ['#!/bin/bash', 'set -e', ...exports, `cd ${quote(cwd)}`, setup];
  writeFileSync(join(work, 'main'), [...main, command.map(quote).join(' '), ''].join('\n'), {
    mode: 0o755,
  });
  // The pipe keeps the console from being a terminal, which would add colours and carriage returns.
  const init = `#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev 2>/dev/null
mkdir -p /dev/shm && mount -t tmpfs shm /dev/shm
mkdir -p /run/uml 2>/dev/null
mount --bind ${quote(work)} /mnt
mount -t tmpfs tmp /run; mkdir /run/uml /run/cwd; mount --bind /mnt /run/uml; umount /mnt
mount --bind ${quote(cwd)} /run/cwd
mount -t tmpfs tmp /mnt; mount -t tmpfs tmp /tmp; chmod 1777 /tmp
# A checkout below /tmp or /mnt has just been covered.
[ -d ${quote(cwd)} ] || { mkdir -p ${quote(cwd)}; mount --bind /run/cwd ${quote(cwd)}; }
ip link set lo up
ulimit -n 65536
/run/uml/main 2>&1 </dev/null | cat
echo "\${PIPESTATUS[0]}" >/run/uml/status
sync; echo o >/proc/sysrq-trigger; sleep 30
`;
  writeFileSync(join(work, 'init'), init, { mode: 0o755 });
}

function boot(kernel, { timeoutMs, signal, onOutput }) {
  return new Promise((resolve, reject) => {
    const child = spawn('linux.uml', kernel, {
      stdio: ['ignore', onOutput ? 'pipe' : 'inherit', 'inherit'],
      detached: true,
    });
    child.stdout?.setEncoding('utf8').on('data', onOutput);
    const killAll = () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    let outcome = 'ended';
    const end = (how) => {
      outcome = how;
      killAll();
    };
    const timer = setTimeout(() => end('late'), timeoutMs);
    const onAbort = () => end('killed');
    signal?.addEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    const signals = ['SIGINT', 'SIGTERM'];
    const interrupted = () => {
      killAll();
      process.exit(130);
    };
    for (const name of signals) process.once(name, interrupted);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      for (const name of signals) process.off(name, interrupted);
      killAll();
      resolve(outcome);
    });
  });
}

function readStatus(work) {
  try {
    return Number(readFileSync(join(work, 'status'), 'utf8'));
  } catch {
    return 70;
  }
}

function quote(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
