import fs from 'node:fs';
import { SystemError } from './errno.js';
import { throwInjected, uninterrupted, uninterruptedly } from './ffi.js';

/** Reading and writing open files, by Node's own bindings: libuv has these, and its errors only need their errno. */
function promised<Args extends unknown[], Result>(
  syscall: string,
  start: (args: Args, done: (error: Error | null, result: Result) => void) => void,
): (...args: Args) => Promise<Result> {
  const once = (args: Args): Promise<Result> =>
    new Promise((resolve, reject) => {
      throwInjected(syscall);
      start(args, (error, result) => {
        if (error) reject(SystemError.from(error, syscall));
        else resolve(result);
      });
    });
  return (...args) => uninterruptedly(() => once(args));
}

function immediate<Args extends unknown[], Result>(
  syscall: string,
  run: (...args: Args) => Result,
): (...args: Args) => Result {
  const once = (args: Args): Result => {
    throwInjected(syscall);
    try {
      return run(...args);
    } catch (error) {
      throw SystemError.from(error as Error, syscall);
    }
  };
  return (...args) => uninterrupted(() => once(args));
}

type ReadArgs = [fd: number, buffer: Uint8Array, position: number];
type WriteArgs = [fd: number, buffers: readonly Uint8Array[], position: number];

export const fileCalls = {
  /** pread(2) into the whole of `buffer`: bytes read, 0 at the end of the file. */
  read: promised<ReadArgs, number>('read', ([fd, buffer, position], done) =>
    fs.read(fd, buffer, 0, buffer.byteLength, position, done),
  ),
  /** pwritev(2): bytes written, which may be fewer than given. */
  writev: promised<WriteArgs, number>('writev', ([fd, buffers, position], done) =>
    fs.writev(fd, buffers, position, done),
  ),
  ftruncate: promised<[fd: number, length: number], void>('ftruncate', ([fd, length], done) =>
    fs.ftruncate(fd, length, (error) => done(error, undefined)),
  ),
  fdatasync: promised<[fd: number], void>('fdatasync', ([fd], done) =>
    fs.fdatasync(fd, (error) => done(error, undefined)),
  ),
  fsync: promised<[fd: number], void>('fsync', ([fd], done) =>
    fs.fsync(fd, (error) => done(error, undefined)),
  ),
  fchmod: promised<[fd: number, mode: number], void>('fchmod', ([fd, mode], done) =>
    fs.fchmod(fd, mode, (error) => done(error, undefined)),
  ),
  close: promised<[fd: number], void>('close', ([fd], done) =>
    fs.close(fd, (error) => done(error ?? null, undefined)),
  ),
};

export const fileCallsSync = {
  read: immediate('read', (fd: number, buffer: Uint8Array, position: number) =>
    fs.readSync(fd, buffer, 0, buffer.byteLength, position),
  ),
  writev: immediate('writev', (fd: number, buffers: readonly Uint8Array[], position: number) =>
    fs.writevSync(fd, buffers, position),
  ),
  ftruncate: immediate('ftruncate', (fd: number, length: number) => fs.ftruncateSync(fd, length)),
  fdatasync: immediate('fdatasync', (fd: number) => fs.fdatasyncSync(fd)),
  fsync: immediate('fsync', (fd: number) => fs.fsyncSync(fd)),
  fchmod: immediate('fchmod', (fd: number, mode: number) => fs.fchmodSync(fd, mode)),
  close: immediate('close', (fd: number) => fs.closeSync(fd)),
};
