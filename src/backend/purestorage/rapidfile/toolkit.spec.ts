import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findToolkit } from './toolkit.js';

describe('findToolkit', () => {
  let root: string;
  beforeEach(() => {
    root = fs.mkdtempSync(path.join(os.tmpdir(), 'toolkit-'));
  });
  afterEach(() => fs.rmSync(root, { recursive: true }));

  /** Installs programs that print this and end. */
  const install = (folder: string, programs: Record<string, string>): string => {
    const directory = path.join(root, folder);
    fs.mkdirSync(directory);
    for (const [name, says] of Object.entries(programs)) {
      fs.writeFileSync(path.join(directory, name), `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
    }
    return directory;
  };
  const one = (tool: string): string => `${tool} (RapidFile Toolkit) 1.0.0`;
  const two = (tool: string): string => `version ${tool} (RapidFile) 2.1.1`;
  const first = { pls: one('pls'), pdu: one('pdu'), prm: one('prm'), pcp: one('pcp') };
  const second = { pls: two('pls'), pdu: two('pdu'), prm: two('prm'), pcopy: two('pcopy') };

  it('finds either version, by its programs for copies', async () => {
    const [old, recent] = [install('old', first), install('recent', second)];
    expect(await findToolkit(old)).toMatchObject({
      version: { major: 1, text: '1.0.0' },
      copy: path.join(old, 'pcp'),
    });
    expect(await findToolkit(recent)).toMatchObject({
      version: { major: 2, text: '2.1.1' },
      copy: path.join(recent, 'pcopy'),
    });
  });

  it('goes on along PATH when it meets a program of the same name', async () => {
    const other = install('other', { pdu: 'pdu 0.21.1' });
    const right = install('right', second);
    const found = await findToolkit(undefined, `relative:${other}:${root}/none:${right}`);
    expect(found.directory).toBe(right);
    await expect(findToolkit(undefined, other)).rejects.toThrow(
      'is another program ("pdu 0.21.1")',
    );
  });

  it.each([
    ['Performance Co-Pilot has its place', { ...first, pcp: 'pcp version 6.2.0' }, '6.2.0'],
    ['one is of the other version', { ...second, prm: one('prm') }, 'mixed with programs of 1.0.0'],
    ['one is missing', { pdu: two('pdu'), pls: two('pls'), pcopy: two('pcopy') }, /lacks .*prm/],
  ])('refuses one where %s', async (_, programs, why) => {
    await expect(findToolkit(install('broken', programs))).rejects.toThrow(why);
  });
});
