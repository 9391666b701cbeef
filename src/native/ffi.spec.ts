import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calls, sync } from './calls.js';
import { Errno } from './errno.js';
import { injectFaults } from './ffi.js';

let directory: string;
let fd: number;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ffi-'));
  fd = openSync(join(directory, 'file'), 'w+');
});
afterEach(() => {
  injectFaults(undefined);
  closeSync(fd);
  rmSync(directory, { recursive: true });
});

/** As a signal does it to a call that waits. */
function interruptTwice(syscall: string): void {
  let left = 2;
  injectFaults((name) => (name === syscall && left-- > 0 ? Errno.EINTR : undefined));
}

it('makes a call again that a signal interrupts, on the pool', async () => {
  interruptTwice('mkdirat');
  await calls.mkdirat(fdOf(directory), Buffer.from('made'), 0o700);
  interruptTwice('writev');
  await expect(calls.writev(fd, [Buffer.from('four')], 0)).resolves.toBe(4);
});

it('makes a call again that a signal interrupts, on this thread', () => {
  interruptTwice('mkdirat');
  sync.mkdirat(fdOf(directory), Buffer.from('made'), 0o700);
  interruptTwice('writev');
  expect(sync.writev(fd, [Buffer.from('four')], 0)).toBe(4);
});

it.each(['mkdirat', 'writev'])('reports every other failure of %s, once', async (syscall) => {
  let asked = 0;
  injectFaults((name) => (name === syscall && asked++ === 0 ? Errno.EIO : undefined));
  const failing =
    syscall === 'mkdirat'
      ? calls.mkdirat(fdOf(directory), Buffer.from('made'), 0o700)
      : calls.writev(fd, [Buffer.from('four')], 0);
  await expect(failing).rejects.toMatchObject({ errno: Errno.EIO, syscall });
  expect(asked).toBe(1);
});

let directories: number[] = [];
afterEach(() => {
  for (const opened of directories) closeSync(opened);
  directories = [];
});

function fdOf(path: string): number {
  const opened = openSync(path, 'r');
  directories.push(opened);
  return opened;
}
