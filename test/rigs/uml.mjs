import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

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
 * @param {readonly { readonly bytes: number, readonly prepare?: (path: string) => void }[]} [guest.disks] sparse
 *   images, /dev/ubda, /dev/ubdb and so on in the guest; `prepare` may make a filesystem on one beforehand
 * @param {string} [guest.setup] shell lines run before the command, with `set -e`
 * @param {string} [guest.memory]
 * @param {number} [guest.timeoutMs] then the guest is killed, and 124 is returned
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
}) {
  const work = mkdtempSync(join(tmpdir(), 'uml-'));
  try {
    const images = disks.map(({ bytes, prepare }, index) => {
      const image = join(work, `disk${index}`);
      writeFileSync(image, '');
      truncateSync(image, bytes);
      prepare?.(image);
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
    const outcome = await boot(kernel, timeoutMs);
    return outcome === 'late' ? 124 : readStatus(work);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function writeGuestScripts(work, { command, cwd, env, setup }) {
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
mount -t tmpfs tmp /run; mkdir /run/uml; mount --bind /mnt /run/uml; umount /mnt
mount -t tmpfs tmp /mnt; mount -t tmpfs tmp /tmp; chmod 1777 /tmp
ip link set lo up
ulimit -n 65536
/run/uml/main 2>&1 </dev/null | cat
echo "\${PIPESTATUS[0]}" >/run/uml/status
sync; echo o >/proc/sysrq-trigger; sleep 30
`;
  writeFileSync(join(work, 'init'), init, { mode: 0o755 });
}

function boot(kernel, timeoutMs) {
  return new Promise((resolve, reject) => {
    const child = spawn('linux.uml', kernel, {
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    });
    const killAll = () => {
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended by itself.
      }
    };
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      killAll();
    }, timeoutMs);
    const signals = ['SIGINT', 'SIGTERM'];
    const interrupted = () => {
      killAll();
      process.exit(130);
    };
    for (const signal of signals) process.once(signal, interrupted);
    child.on('error', reject);
    child.on('close', () => {
      clearTimeout(timer);
      for (const signal of signals) process.off(signal, interrupted);
      killAll();
      resolve(late ? 'late' : 'ended');
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
