import { PROXY_DIRECTORY } from '../../backend/contract/proxy-directory.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { PRIVATE_MODE } from '../ids/layout.js';

const FILE_MODE = 0o600;
let temporaries = 0;

/** A directory below `.storage-proxy` of a volume; `undefined` when it is missing and not to be made. */
export async function openProxyDirectory(
  root: Beneath,
  path: Buffer,
  { make }: { make: boolean },
): Promise<Beneath | undefined> {
  const directory = await ignoreMissing(root.descend(path));
  if (directory || !make) return directory;
  try {
    await root.mkdirs(path, PRIVATE_MODE, PRIVATE_MODE);
    await root.syncDirectory(Buffer.from(PROXY_DIRECTORY));
    await root.syncDirectory();
  } catch (error) {
    if (!isErrno(error, Errno.EEXIST)) throw error;
  }
  return await root.descend(path);
}

/** Writes a file whole or not at all; `durable`: it is on stable storage when this resolves. */
export async function replaceFile(
  directory: Beneath,
  name: Buffer,
  content: Buffer,
  { durable }: { durable: boolean },
): Promise<void> {
  temporaries += 1;
  const temporary = Buffer.from(`.${name.toString()}.${process.pid}.${temporaries}.tmp`);
  try {
    const file = await directory.openFile(temporary, {
      write: true,
      create: 'exclusive',
      mode: FILE_MODE,
    });
    try {
      await file.write([content], 0);
      if (durable) await file.datasync();
    } finally {
      await file.close();
    }
    await directory.rename(temporary, name);
  } catch (error) {
    await directory.unlink(temporary).catch(() => undefined);
    throw error;
  }
  if (durable) await directory.syncDirectory();
}

export async function readText(directory: Beneath, name: Buffer): Promise<string> {
  const file = await directory.openFile(name);
  try {
    const buffer = Buffer.alloc(file.stat.size);
    return buffer.toString('utf8', 0, await file.read(buffer, 0));
  } finally {
    await file.close();
  }
}

/** `undefined` instead of ENOENT. */
export async function ignoreMissing<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (isErrno(error, Errno.ENOENT)) return undefined;
    throw error;
  }
}
