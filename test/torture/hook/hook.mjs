/**
 * Preloaded into every process of a server under test (`node --import`), the product itself being as built. In a
 * worker it listens on a Unix socket, `<TORTURE_HOOK_DIRECTORY>/<pid>`, for one JSON line a request, and can
 *
 * - make the n-th call of a system function fail, in whichever thread of the process it is made (`arm`, `disarm`);
 * - tell how often each was called since `disarm` (`counts`);
 * - collect garbage and tell what the process holds (`inspect`).
 */
import cluster from 'node:cluster';
import { mkdirSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';

const { TORTURE_HOOK_DIRECTORY: directory, TORTURE_DIST: dist } = process.env;
const KEY = 'torture-hook';
/** Every function that `src/native` binds or calls, but `close`: a descriptor is gone even when closing it fails. */
const FUNCTIONS = [
  'openat2',
  'openat',
  'statx',
  'getdents64',
  'lseek',
  'mkdirat',
  'unlinkat',
  'renameat2',
  'linkat',
  'symlinkat',
  'readlinkat',
  'fchmodat',
  'utimensat',
  'futimens',
  'fstatvfs',
  'flock',
  'fcntl',
  'ioctl',
  'sendfile',
  'copy_file_range',
  'sync_file_range',
  'syncfs',
  'read',
  'writev',
  'ftruncate',
  'fdatasync',
  'fsync',
  'fchmod',
  'quotactl',
  'quotactl_fd',
  'fgetxattr',
  'fsetxattr',
  'getxattr',
  'setxattr',
  'lgetxattr',
  'lsetxattr',
];

/** Places in the shared memory; from NAMES on, the calls of each function. */
const ARMED = 0;
const COUNTDOWN = 1;
const ERRNO = 2;
const FIRED = 3;
const LASTING = 4;
const NAMES = 8;
const NONE = -1;

const { injectFaults } = await import(pathToFileURL(join(dist, 'native/ffi.js')).href);

/** All threads of a process count together. */
const shared = isMainThread ? newMemory() : getEnvironmentData(KEY);
const cells = new Int32Array(shared);

function newMemory() {
  const memory = new SharedArrayBuffer(4 * (NAMES + FUNCTIONS.length));
  new Int32Array(memory)[ARMED] = NONE;
  setEnvironmentData(KEY, memory);
  return memory;
}

injectFaults((syscall) => {
  const number = FUNCTIONS.indexOf(syscall);
  if (number < 0) return undefined;
  Atomics.add(cells, NAMES + number, 1);
  if (Atomics.load(cells, ARMED) !== number) return undefined;
  const left = Atomics.sub(cells, COUNTDOWN, 1);
  if (left !== 1 && !(left < 1 && Atomics.load(cells, LASTING) === 1)) return undefined;
  Atomics.add(cells, FIRED, 1);
  return Atomics.load(cells, ERRNO);
});

const commands = {
  arm({ syscall, nth, errno, lasting = false }) {
    const number = FUNCTIONS.indexOf(syscall);
    if (number < 0) throw new Error(`no such function: ${syscall}`);
    cells.fill(0, NAMES);
    cells[FIRED] = 0;
    cells[COUNTDOWN] = nth;
    cells[ERRNO] = errno;
    cells[LASTING] = lasting ? 1 : 0;
    Atomics.store(cells, ARMED, number);
    return {};
  },
  disarm() {
    Atomics.store(cells, ARMED, NONE);
    const fired = Atomics.exchange(cells, FIRED, 0);
    return { fired, counts: counts(true) };
  },
  async inspect() {
    // Twice: what a finaliser lets go of is collected the next time.
    for (let round = 0; round < 3; round++) {
      gc();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const resources = {};
    for (const name of process.getActiveResourcesInfo())
      resources[name] = (resources[name] ?? 0) + 1;
    return {
      heapBytes: process.memoryUsage().heapUsed,
      externalBytes: process.memoryUsage().external,
      threads: readdirSync('/proc/self/task').length,
      descriptors: descriptors(),
      resources,
    };
  },
};

function counts(reset) {
  const found = {};
  for (const [number, name] of FUNCTIONS.entries()) {
    const count = reset ? Atomics.exchange(cells, NAMES + number, 0) : cells[NAMES + number];
    if (count > 0) found[name] = count;
  }
  return found;
}

/** What each open descriptor is, but the one that reads this. */
function descriptors() {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

let collect;
function gc() {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc');
  }
  collect();
}

function listen() {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, String(process.pid));
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.setEncoding('utf8').unref();
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
      if (!text.endsWith('\n')) return;
      const { command, ...parameters } = JSON.parse(text);
      text = '';
      Promise.resolve(commands[command](parameters)).then(
        (answer) => socket.write(`${JSON.stringify(answer)}\n`),
        (error) => socket.write(`${JSON.stringify({ error: String(error) })}\n`),
      );
    });
    socket.on('error', () => undefined);
  });
  // In a cluster worker a plain listen would be handed to the primary.
  server.listen({ path, exclusive: true }).unref();
}

if (isMainThread && cluster.isWorker) listen();
