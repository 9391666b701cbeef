import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Beneath } from '../../native/beneath.js';
import { injectFaults } from '../../native/ffi.js';
import type { ArchiveItem } from './archive-item.js';
import type { ContentSource } from './archive-content.js';
import { writeArchive } from './write-archive.js';

/** What Python's zipfile makes of an archive: names as raw text, sizes, checks of every CRC. */
const READ_ZIP = `
import sys, zipfile, json, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
print(json.dumps([[i.filename, i.file_size, i.external_attr >> 16, i.compress_type,
  hashlib.md5(z.read(i)).hexdigest()] for i in z.infolist()]))
`;

type Row = [name: string, size: number, mode: number, method: number, md5: string];

describe('writeArchive', () => {
  let top: string;
  let folder: string;
  let root: Beneath;
  let source: ContentSource;

  beforeEach(async () => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'archive-'));
    folder = path.join(top, 'folder');
    fs.mkdirSync(folder);
    root = await Beneath.open(folder);
    source = { root, io: (work) => work(), level: 1 };
  });

  afterEach(() => {
    injectFaults(undefined);
    root.close();
    fs.rmSync(top, { recursive: true });
  });

  const put = (name: string, content: string | Buffer): void => {
    fs.mkdirSync(path.dirname(path.join(folder, name)), { recursive: true });
    fs.writeFileSync(path.join(folder, name), content);
  };

  const itemOf = (name: string | Buffer): ArchiveItem => {
    const bytes = Buffer.from(name as string);
    const full = Buffer.concat([Buffer.from(`${folder}/`), bytes]);
    const stat = fs.lstatSync(full, { bigint: true });
    return {
      name: bytes,
      path: bytes,
      kind: stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'link' : 'file',
      mode: Number(stat.mode),
      sizeBytes: Number(stat.size),
      mtimeNs: stat.mtimeNs,
    };
  };

  async function* each(items: readonly ArchiveItem[]): AsyncGenerator<readonly ArchiveItem[]> {
    yield items;
  }

  const archive = async (items: readonly ArchiveItem[]): Promise<string> => {
    const file = path.join(top, 'archive.zip');
    const chunks: Buffer[] = [];
    await writeArchive(each(items), source, async (batch) => {
      chunks.push(...batch);
    });
    fs.writeFileSync(file, Buffer.concat(chunks));
    return file;
  };

  const read = (file: string): Row[] =>
    JSON.parse(execFileSync('python3', ['-c', READ_ZIP, file], { encoding: 'utf8' })) as Row[];

  it('keeps names, content, modes, times and empty directories', async () => {
    put('text.txt', 'hello '.repeat(1000));
    put('empty', '');
    put('sub/日本.bin', randomBytes(5000));
    put('photo.jpg', 'a'.repeat(5000));
    fs.mkdirSync(path.join(folder, 'hollow'));
    fs.chmodSync(path.join(folder, 'text.txt'), 0o751);
    fs.utimesSync(path.join(folder, 'text.txt'), 1_000_000_001, 1_000_000_001);
    const names = ['text.txt', 'empty', 'sub', 'sub/日本.bin', 'photo.jpg', 'hollow'];
    const file = await archive(names.map(itemOf));
    expect(
      read(file).map(([name, size, mode, method]) => [name, size, mode & 0o777, method]),
    ).toEqual([
      ['text.txt', 6000, 0o751, 8],
      ['empty', 0, 0o644, 0],
      ['sub/', 0, 0o755, 0],
      ['sub/日本.bin', 5000, 0o644, 0],
      ['photo.jpg', 5000, 0o644, 0],
      ['hollow/', 0, 0o755, 0],
    ]);
    execFileSync('unzip', ['-q', file, '-d', path.join(top, 'out')]);
    execFileSync('diff', ['-r', folder, path.join(top, 'out')]);
    const { mtimeMs } = fs.statSync(path.join(top, 'out/text.txt'));
    expect(mtimeMs).toBe(1_000_000_001_000);
  });

  it.each([0, 6])('makes the same bytes at level %d of what the walk has read', async (level) => {
    source = { ...source, level };
    for (let index = 0; index < 120; index++) {
      put(`text-${index}`, 'hello '.repeat(index));
      if (index % 20 === 0) put(`noise-${index}`, randomBytes(30 * index));
    }
    put('photo.jpg', 'a'.repeat(5000));
    put('large', Buffer.alloc(2_000_000, 'large '));
    const items = fs.readdirSync(folder).map(itemOf);
    const withContent = items.map((item) => {
      const content = fs.readFileSync(path.join(folder, item.name.toString()));
      return content.length > 0 && content.length < 20_000 ? { ...item, content } : item;
    });
    const read = fs.readFileSync(await archive(items));
    expect(fs.readFileSync(await archive(withContent)).equals(read)).toBe(true);
    execFileSync('unzip', ['-q', path.join(top, 'archive.zip'), '-d', path.join(top, 'out')]);
    execFileSync('diff', ['-r', folder, path.join(top, 'out')]);
  });

  it('hands on an archive of many small entries in few writes', async () => {
    for (let index = 0; index < 1000; index++) put(`file-${index}`, 'content');
    const items = fs.readdirSync(folder).map((name) => {
      return { ...itemOf(name), content: Buffer.from('content') };
    });
    const writes: number[] = [];
    await writeArchive(each(items), source, async (chunks) => {
      writes.push(chunks.reduce((sum, { length }) => sum + length, 0));
    });
    expect(writes.length).toBeLessThan(10);
    expect(Math.max(...writes)).toBeLessThan(200_000);
  });

  it('is accepted by everybody when it holds nothing at all', async () => {
    expect(read(await archive([]))).toEqual([]);
  });

  it('compresses large files in pieces, whatever mixture they are', async () => {
    const content = Buffer.concat([
      Buffer.alloc(3_000_000, 'compressible '),
      randomBytes(9_000_000),
      Buffer.alloc(9_000_000, 'again '),
    ]);
    put('mixed', content);
    put('random.gz', randomBytes(2_000_000));
    const file = await archive(['mixed', 'random.gz'].map(itemOf));
    expect(execFileSync('unzip', ['-p', file, 'mixed'], { maxBuffer: 1e8 }).equals(content)).toBe(
      true,
    );
    expect(read(file).map((row) => row[3])).toEqual([8, 8]);
    expect(fs.statSync(file).size).toBeLessThan(20_000_000);
    execFileSync('7z', ['t', file]);
  });

  it('stores everything at level 0', async () => {
    source = { ...source, level: 0 };
    put('small', 'a'.repeat(1000));
    put('large', Buffer.alloc(2_000_000, 'b'));
    const file = await archive(['small', 'large'].map(itemOf));
    expect(read(file).map(([name, size]) => [name, size])).toEqual([
      ['small', 1000],
      ['large', 2_000_000],
    ]);
    expect(fs.statSync(file).size).toBeGreaterThan(2_001_000);
  });

  it('keeps the bytes of a name that is not UTF-8', async () => {
    const name = Buffer.from([0x61, 0xff, 0xe9, 0x62]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/`), name]), 'x');
    const bytes = fs.readFileSync(await archive([itemOf(name)]));
    expect(bytes.indexOf(name)).toBeGreaterThan(0);
    expect(bytes.readUInt16LE(6) & 0x800).toBe(0);
  });

  it('archives what a link inside leads to, and leaves out all other links (S3)', async () => {
    put('dir/real', 'real');
    put('big', Buffer.alloc(1_500_000, 'x'));
    fs.writeFileSync(path.join(top, 'secret'), 'secret');
    const links: [string, string][] = [
      ['inside', 'dir/real'],
      ['to-big', 'big'],
      ['outside', '../secret'],
      ['absolute', path.join(top, 'secret')],
      ['dangling', 'nowhere'],
      ['loop', 'loop'],
      ['directory', 'dir'],
    ];
    for (const [name, target] of links) fs.symlinkSync(target, path.join(folder, name));
    const rows = read(await archive(links.map(([name]) => itemOf(name))));
    expect(rows.map(([name, size]) => [name, size])).toEqual([
      ['inside', 4],
      ['to-big', 1_500_000],
    ]);
  });

  it('leaves out what vanishes, or turns into something else, after it was seen (D1)', async () => {
    put('stays', 'x');
    put('vanishes', 'x');
    put('vanishes-large', Buffer.alloc(2_000_000));
    put('turns-into-a-link', 'x');
    put('turns-into-a-fifo', 'x');
    put('shrinks', Buffer.alloc(3_000_000, 'y'));
    const items = fs.readdirSync(folder).toSorted().map(itemOf);
    for (const name of ['vanishes', 'vanishes-large', 'turns-into-a-link', 'turns-into-a-fifo']) {
      fs.rmSync(path.join(folder, name));
    }
    fs.symlinkSync('/etc/passwd', path.join(folder, 'turns-into-a-link'));
    execFileSync('mkfifo', [path.join(folder, 'turns-into-a-fifo')]);
    fs.truncateSync(path.join(folder, 'shrinks'), 100);
    expect(read(await archive(items)).map(([name, size]) => [name, size])).toEqual([
      ['shrinks', 100],
      ['stays', 1],
    ]);
  });

  it('fails when a file cannot be read, and leaves nothing open', async () => {
    put('a', 'x');
    put('b', Buffer.alloc(2_000_000));
    const before = fs.readdirSync('/proc/self/fd').length;
    for (const name of ['a', 'b']) {
      injectFaults((syscall) => (syscall === 'read' ? 5 : undefined));
      await expect(archive([itemOf(name), itemOf('a')])).rejects.toMatchObject({ code: 'EIO' });
      injectFaults(undefined);
    }
    expect(fs.readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('stops reading while nobody takes the output', async () => {
    put('large', Buffer.alloc(30_000_000, 'z'));
    source = { ...source, level: 0 };
    let reads = 0;
    injectFaults((syscall) => {
      if (syscall === 'read') reads += 1;
      return undefined;
    });
    let taken = 0;
    const stuck = writeArchive(each([itemOf('large')]), source, async () => {
      taken += 1;
      await new Promise((resolve) => setTimeout(resolve, 200));
      throw new Error('enough');
    });
    await expect(stuck).rejects.toThrow('enough');
    expect(taken).toBe(1);
    expect(reads).toBeLessThan(10);
  });
});
