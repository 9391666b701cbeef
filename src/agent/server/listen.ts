import { once } from 'node:events';
import { constants as fs, closeSync, mkdirSync, openSync } from 'node:fs';
import type { Server } from 'node:net';
import { basename, dirname } from 'node:path';
import { Beneath } from '../../native/beneath.js';
import { calls } from '../../native/calls.js';
import { LOCK_EX, S_IFMT, S_IFSOCK } from '../../native/constants.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { Stat } from '../../native/stat.js';

export interface SocketSettings {
  /** Absolute. Its directory is made when it is missing. */
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

const DIRECTORY_MODE = 0o755;
const LOCK_MODE = 0o600;
const ALL_PERMISSIONS = 0o777;
const OTHERS_MAY_WRITE = 0o022;
const STICKY = 0o1000;

/** A socket that is being listened on. */
export interface Listening {
  /** Removes the socket file and lets another agent have the path; connections go on. */
  release(): Promise<void>;
}

/**
 * Listens on a Unix socket that appears at its path with its owner and mode, never without, and takes the place of
 * one that an agent left behind when it was killed. Everything is done in the directory held open, so no link that
 * appears meanwhile is followed.
 *
 * Throws Error with what was found and the remedy, when the path is another agent's, or not safe to use.
 */
export async function listenOn(server: Server, settings: SocketSettings): Promise<Listening> {
  const directory = await openDirectory(dirname(settings.path));
  let lock: number | undefined;
  try {
    lock = await lockPath(directory, settings.path);
    await bind(server, directory, settings);
  } catch (error) {
    directory.close();
    if (lock !== undefined) closeSync(lock);
    throw error;
  }
  const held = lock;
  return {
    async release() {
      await directory.unlink(Buffer.from(basename(settings.path))).catch(ignoreMissing);
      directory.close();
      closeSync(held);
    },
  };
}

async function openDirectory(path: string): Promise<Beneath> {
  // A directory like /run/storage-proxy is gone after each boot.
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
  const directory = await Beneath.open(path);
  const reason = unsafe(await directory.stat());
  if (reason === undefined) return directory;
  directory.close();
  throw new Error(
    `agent.socket: ${path} ${reason}; whoever may write there could pose as the agent`,
  );
}

/** Why names in the directory could be changed by others. */
function unsafe({ uid, mode }: Stat): string | undefined {
  if (uid !== 0 && uid !== process.geteuid?.()) return `belongs to uid ${uid}`;
  if ((mode & OTHERS_MAY_WRITE) !== 0 && (mode & STICKY) === 0) return 'may be written by others';
  return undefined;
}

/** The lock ends with this process, however it ends. */
async function lockPath(directory: Beneath, path: string): Promise<number> {
  const name = `${basename(path)}.lock`;
  const flags = fs.O_RDWR | fs.O_CREAT | fs.O_NOFOLLOW | fs.O_NONBLOCK;
  const lock = openSync(`/proc/self/fd/${directory.fd}/${name}`, flags, LOCK_MODE);
  if (await calls.flock(lock, LOCK_EX)) return lock;
  closeSync(lock);
  throw new Error(
    `agent.socket: another agent listens on ${path}; stop it, or choose another path`,
  );
}

async function bind(server: Server, directory: Beneath, settings: SocketSettings): Promise<void> {
  const name = Buffer.from(basename(settings.path));
  const made = Buffer.from(`.${basename(settings.path)}.new`);
  await refuseOtherFile(directory, name, settings.path);
  await directory.unlink(made).catch(ignoreMissing);
  const listening = once(server, 'listening');
  // bind(2) happens at once, and gives the file the mode that the mask leaves.
  const mask = process.umask(~settings.mode & ALL_PERMISSIONS);
  try {
    server.listen(`/proc/self/fd/${directory.fd}/${made.toString()}`);
  } finally {
    process.umask(mask);
  }
  await listening;
  if (settings.uid !== process.geteuid?.() || settings.gid !== process.getegid?.()) {
    await directory.chown(made, settings.uid, settings.gid);
  }
  await directory.rename(made, name);
}

/** What is not a socket was not left behind by an agent. */
async function refuseOtherFile(directory: Beneath, name: Buffer, path: string): Promise<void> {
  try {
    const { mode } = await directory.lstat(name);
    if ((mode & S_IFMT) === S_IFSOCK) return;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return;
    throw error;
  }
  throw new Error(
    `agent.socket: ${path} is there and is no socket; remove it, or choose another path`,
  );
}

function ignoreMissing(error: unknown): void {
  if (!isErrno(error, Errno.ENOENT)) throw error;
}
