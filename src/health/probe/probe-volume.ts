import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { PROXY_DIRECTORY } from '../../backend/contract/proxy-directory.js';

const PROBE_PREFIX = 'probe-';
/** Probe files of a prober that was killed; younger ones may be another host's, at work right now. */
const STALE_AFTER_MS = 3_600_000;

/** What one look at a volume found. */
export interface ProbeFindings {
  readonly mounted: boolean;
  readonly readable: boolean;
  readonly writable: boolean;
  /** What is wrong, for an operator; null when nothing is. */
  readonly message: string | null;
  /** Whether the path was the root of a mount of its own. */
  readonly mountPoint: boolean;
  readonly durationMs: number;
}

/**
 * Writes, reads back and removes a small file on the volume at `path`. Synchronous: it runs in a process
 * of its own, which hangs if the volume does.
 *
 * `expectMountPoint`: the path was a mount point before. If it no longer is one, nothing is written: what is
 * there now is the bare directory below the missing mount.
 */
export function probeVolume(path: string, expectMountPoint: boolean): ProbeFindings {
  const started = performance.now();
  const found = { mounted: false, readable: false, writable: false, mountPoint: false };
  let message: string | null = null;
  try {
    const stat = fs.statSync(path);
    if (!stat.isDirectory()) throw new Error('is not a directory');
    found.mountPoint = stat.dev !== fs.statSync(dirname(path)).dev;
    if (expectMountPoint && !found.mountPoint) throw new Error('is not mounted any more');
    found.mounted = true;
    readSome(path);
    found.readable = true;
    writeAndReadBack(path);
    found.writable = true;
  } catch (error) {
    message = `${path}: ${describe(error)}`;
  }
  return { ...found, message, durationMs: performance.now() - started };
}

/** Reads one batch of the directory: enough to see that it can be read, however many entries it has. */
function readSome(path: string): void {
  const directory = fs.opendirSync(path);
  try {
    directory.readSync();
  } finally {
    directory.closeSync();
  }
}

function writeAndReadBack(path: string): void {
  const directory = join(path, PROXY_DIRECTORY);
  makeDirectory(directory);
  const file = join(directory, PROBE_PREFIX + randomBytes(8).toString('hex'));
  const written = randomBytes(32);
  const flags = fs.constants.O_CREAT | fs.constants.O_EXCL | fs.constants.O_RDWR;
  const fd = fs.openSync(file, flags | fs.constants.O_NOFOLLOW, 0o600);
  try {
    fs.writeSync(fd, written, 0, written.length, 0);
    // Many filesystems tell of a full or broken disk only here.
    fs.fdatasyncSync(fd);
    const read = Buffer.alloc(written.length);
    fs.readSync(fd, read, 0, read.length, 0);
    if (!read.equals(written)) throw new Error('gives back other bytes than were written');
  } finally {
    fs.closeSync(fd);
    fs.rmSync(file, { force: true });
  }
}

/** Not Node's recursive form, which tries for ever where the filesystem answers ENOENT. */
function makeDirectory(path: string): void {
  try {
    fs.mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** Removes probe files that nobody is coming back for. Never throws. */
export function sweepStaleProbes(path: string, now: number = Date.now()): void {
  const directory = join(path, PROXY_DIRECTORY);
  try {
    for (const name of fs.readdirSync(directory)) {
      if (!name.startsWith(PROBE_PREFIX)) continue;
      const file = join(directory, name);
      if (now - fs.lstatSync(file).mtimeMs > STALE_AFTER_MS) fs.rmSync(file, { force: true });
    }
  } catch {
    // The next probe says what is wrong with the volume.
  }
}

function describe(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ? `${code} ${message.replace(/^[A-Z0-9]+: /, '').replace(/ '.*$/s, '')}` : message;
}
