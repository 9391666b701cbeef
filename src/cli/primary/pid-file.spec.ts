import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writePidFile } from './pid-file.js';

describe('writePidFile', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'pid-')), 'proxy.pid');

  it('writes the process id and removes it again', () => {
    const remove = writePidFile(path);
    expect(readFileSync(path, 'utf8')).toBe(`${process.pid}\n`);
    remove();
    expect(existsSync(path)).toBe(false);
    expect(remove).not.toThrow();
  });

  it('leaves the file of a process that started meanwhile alone', () => {
    const remove = writePidFile(path);
    writeFileSync(path, '1\n');
    remove();
    expect(readFileSync(path, 'utf8')).toBe('1\n');
  });

  it('never removes /dev/null', () => {
    writePidFile('/dev/null')();
    expect(existsSync('/dev/null')).toBe(true);
  });
});
