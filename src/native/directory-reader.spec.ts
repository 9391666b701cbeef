import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sync } from './calls.js';
import { AT_FDCWD, O_DIRECTORY, O_RDONLY, SEEK_SET } from './constants.js';
import { DirectoryReader } from './directory-reader.js';
import { DT_DIR, DT_LNK, DT_REG } from './dirent.js';
import { StatBuffer } from './stat-buffer.js';

describe('DirectoryReader and StatBuffer', () => {
  let top: string;
  let fd: number;
  const reader = new DirectoryReader();
  const stat = new StatBuffer();

  beforeEach(() => {
    top = fs.mkdtempSync(path.join(os.tmpdir(), 'reader-'));
    fd = sync.openat(AT_FDCWD, Buffer.from(top), O_RDONLY | O_DIRECTORY);
    reader.start(fd);
  });
  afterEach(() => {
    sync.close(fd);
    fs.rmSync(top, { recursive: true, force: true });
  });

  it('reads names as bytes, types, and the stat of each entry by its address', () => {
    const odd = Buffer.from([0x2e, 0xff, 0x0a]);
    fs.mkdirSync(path.join(top, '..dir'));
    fs.writeFileSync(Buffer.concat([Buffer.from(top + '/'), odd]), 'four');
    fs.symlinkSync('x', path.join(top, 'link'));
    const seen = new Map<string, [type: number, size: number]>();
    while (reader.next()) {
      stat.readEntry(fd, reader.nameAddress);
      expect(stat.snapshot().size).toBe(stat.size);
      expect(reader.name()).toHaveLength(reader.copyName(Buffer.alloc(300), 10));
      seen.set(reader.name().toString('latin1'), [reader.type, stat.size]);
    }
    expect([...seen.keys()].toSorted()).toEqual(
      ['..dir', 'link', odd.toString('latin1')].toSorted(),
    );
    expect(seen.get('..dir')![0]).toBe(DT_DIR);
    expect(seen.get('link')).toEqual([DT_LNK, 1]);
    expect(seen.get(odd.toString('latin1'))).toEqual([DT_REG, 4]);
  });

  it('reads directories larger than its buffer, and goes on from a position', () => {
    const names = Array.from({ length: 1000 }, (_, index) => `${'n'.repeat(200)}${index}`);
    for (const name of names) fs.writeFileSync(path.join(top, name), '');
    const seen: string[] = [];
    for (let index = 0; index < 500; index++) {
      reader.next();
      seen.push(reader.name().toString());
    }
    sync.lseek(fd, reader.offset(), SEEK_SET);
    reader.start(fd);
    while (reader.next()) seen.push(reader.name().toString());
    expect(seen.toSorted()).toEqual(names.toSorted());
  });

  it('finds nothing in a directory that has been removed', () => {
    fs.rmdirSync(top);
    expect(reader.next()).toBe(false);
  });
});
