import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { canAnswerAtOnce, openAtOnce, readAtOnce } from './at-once.js';
import { Beneath } from './beneath.js';
import { sync } from './calls.js';
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH, RESOLVE_BENEATH } from './constants.js';

const ANCHOR = O_PATH | O_DIRECTORY | O_CLOEXEC;

describe('calls made at once', () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'at-once-'));
  const at = (name: string): string => path.join(directory, name);
  let root: number;

  beforeAll(() => {
    root = sync.openat2(AT_FDCWD, Buffer.from(directory), ANCHOR);
    fs.mkdirSync(at('below'));
    fs.writeFileSync(at('below/file'), 'content');
    fs.symlinkSync('/etc', at('out'));
    fs.symlinkSync('below', at('in'));
    execFileSync('mkfifo', [at('fifo')]);
  });

  afterAll(() => {
    sync.close(root);
    fs.rmSync(directory, { recursive: true });
  });

  it('opens what the kernel has in memory, and the same as on the pool', () => {
    const fd = openAtOnce(root, Buffer.from('below'), ANCHOR, RESOLVE_BENEATH);
    // Without a cached entry, or on an older kernel, the pool finds out.
    if (fd === undefined) return;
    expect(fs.readdirSync(`/proc/self/fd/${fd}`)).toEqual(['file']);
    sync.close(fd);
  });

  it.each(['out', 'out/passwd', '../x', 'missing', 'below/file/x'])(
    'leaves %s to the pool, which says why it fails',
    async (name) => {
      expect(openAtOnce(root, Buffer.from(name), ANCHOR, RESOLVE_BENEATH)).toBeUndefined();
    },
  );

  it('reads what is in the page cache, and knows the end of the file', () => {
    const fd = fs.openSync(at('below/file'), 'r');
    const buffer = Buffer.alloc(16);
    expect(readAtOnce(fd, buffer.subarray(0, 4), 3)).toBe(4);
    expect(buffer.toString('latin1', 0, 4)).toBe('tent');
    expect(readAtOnce(fd, buffer, 7)).toBe(0);
    fs.closeSync(fd);
    // What fails is met again by the read on the pool.
    expect(readAtOnce(fd, buffer, 0)).toBeUndefined();
  });

  it('does not trust filesystems that may have to ask somebody', async () => {
    const proc = sync.openat2(AT_FDCWD, Buffer.from('/proc'), ANCHOR);
    expect(await canAnswerAtOnce(proc)).toBe(false);
    sync.close(proc);
  });

  describe.each([true, false])('Beneath, at once: %s', (atOnce) => {
    let beneath: Beneath;

    beforeEach(async () => (beneath = await Beneath.open(directory, [], { atOnce })));
    afterEach(() => beneath.close());

    const outcome = async (work: () => Promise<unknown>): Promise<unknown> =>
      await work().catch((error: unknown) => (error as { code: string }).code);

    it.each([
      ['below/file', 'content'],
      ['in/file', 'content'],
      ['below', 'EISDIR'],
      ['fifo', 'EINVAL'],
      ['out', 'EXDEV'],
      ['out/passwd', 'EXDEV'],
      ['missing', 'ENOENT'],
      ['below/file/x', 'ENOTDIR'],
    ])('opens %s: %s', async (name, expected) => {
      const read = async (): Promise<string> => {
        const file = await beneath.openFile(Buffer.from(name), { follow: true });
        const buffer = Buffer.alloc(100);
        const length = await file.read(buffer, 0);
        await file.close();
        return buffer.toString('latin1', 0, length);
      };
      expect(await outcome(read)).toBe(expected);
    });

    it.each(['below/file', 'in/file', 'below', 'fifo', 'out', 'missing'])(
      'opens %s at once as it does in its time, or leaves it to that',
      async (name) => {
        const before = fs.readdirSync('/proc/self/fd').length;
        const file = beneath.openFileAtOnce(Buffer.from(name), { follow: true });
        if (!atOnce) expect(file).toBeUndefined();
        if (file !== undefined) {
          expect(name).toContain('file');
          const buffer = Buffer.alloc(7);
          expect(file.readCached(buffer, 0)).toBe(7);
          expect(buffer.toString()).toBe('content');
          expect([file.closeAtOnce(), file.closeAtOnce()]).toEqual([true, true]);
        }
        expect(fs.readdirSync('/proc/self/fd')).toHaveLength(before);
      },
    );

    it('opens at once what was opened lately, where the kernel can', async () => {
      // An older kernel or another filesystem under the temporary directory cannot.
      if (!atOnce || !(await canAnswerAtOnce(root))) return;
      if (openAtOnce(root, Buffer.from('.'), ANCHOR, RESOLVE_BENEATH) === undefined) return;
      const opened = Array.from({ length: 10 }, () =>
        beneath.openFileAtOnce(Buffer.from('below/file'), { follow: true }),
      ).filter((file) => file !== undefined);
      expect(opened.length).toBeGreaterThan(0);
      for (const file of opened) await file.close();
    });

    it('closes at once only what waits for nothing', async () => {
      const open = () => beneath.openFile(Buffer.from('below/file'), { write: true });
      const changed = await open();
      await changed.write([], 0);
      expect(changed.closeAtOnce()).toBe(false);
      await changed.close();
      const unchanged = await open();
      expect(unchanged.closeAtOnce()).toBe(atOnce);
      await unchanged.close();
    });

    it.each([
      ['below/file', fs.constants.S_IFREG],
      ['out', fs.constants.S_IFLNK],
      ['in/file', fs.constants.S_IFREG],
      ['out/passwd', 'EXDEV'],
      ['missing', 'ENOENT'],
      ['fifo', fs.constants.S_IFIFO],
    ])('looks at %s itself: %s', async (name, expected) => {
      const look = async (): Promise<number> =>
        (await beneath.lstat(Buffer.from(name))).mode & fs.constants.S_IFMT;
      expect(await outcome(look)).toBe(expected);
    });
  });
});
