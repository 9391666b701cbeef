import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type * as confinementModule from '../../src/backend/purestorage/rapidfile/confinement.js';
import type * as runnerModule from '../../src/backend/purestorage/rapidfile/tool-runner.js';
import type * as startModule from '../../src/backend/purestorage/rapidfile/confined-start.js';
import { built } from '../support/built.js';

/** Programs of this system in the place of the toolkit's, which do what a link makes them do. */
const BIN = '/usr/bin';
const TOOLKIT = {
  directory: BIN,
  pdu: `${BIN}/cat`,
  prm: `${BIN}/touch`,
  copy: `${BIN}/dd`,
};

describe('a confined program', () => {
  let directory: string;
  let tree: string;
  let outside: string;
  let modules: typeof confinementModule & typeof runnerModule & typeof startModule;

  beforeAll(async () => {
    const from = 'backend/purestorage/rapidfile';
    modules = {
      ...(await built<typeof confinementModule>(`${from}/confinement.js`)),
      ...(await built<typeof runnerModule>(`${from}/tool-runner.js`)),
      ...(await built<typeof startModule>(`${from}/confined-start.js`)),
    };
  });
  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'confined-'));
    tree = path.join(directory, 'tree');
    outside = path.join(directory, 'outside');
    fs.mkdirSync(tree);
    fs.mkdirSync(outside);
    fs.writeFileSync(path.join(tree, 'own'), 'of the tenant');
    fs.writeFileSync(path.join(outside, 'secret'), 'of another tenant', { mode: 0o600 });
  });
  afterEach(() => fs.rmSync(directory, { recursive: true, force: true }));

  /** What the program prints in the tree. Rejects with ToolError. */
  const run = async (program: string, ...args: string[]): Promise<string> => {
    const toolkit = { ...TOOLKIT, pdu: program };
    const confinement = await modules.confinementFor({ toolkit, volumePath: tree, readable: [] });
    if (confinement.kind === 'none') throw new Error(confinement.reason);
    const runner = new modules.ToolRunner({ processes: 1, confinement });
    const fd = fs.openSync(tree, 'r');
    const trees = [{ fd, rights: modules.FILL }];
    let output = '';
    try {
      const command = { tool: path.basename(program), program, args, directory: fd, trees };
      for await (const chunk of runner.walk(command)) output += chunk.toString();
    } finally {
      fs.closeSync(fd);
    }
    return output;
  };
  const link = (target: string): string => {
    fs.symlinkSync(target, path.join(tree, 'link'));
    return './link';
  };

  it('starts with its libraries, and reads its tree', async () => {
    expect(await run(`${BIN}/cat`, '--', './own')).toBe('of the tenant');
  });

  it.each([
    ['/etc', '/etc/passwd'],
    ['/etc, by the directory', '/etc/../etc/hosts'],
    ['/proc', '/proc/1/status'],
    ['its own process', '/proc/self/environ'],
    ['/sys', '/sys/kernel'],
    ['programs', `${BIN}/env`],
  ])('reads nothing of %s by a link in a vfolder', async (_, target) => {
    await expect(run(`${BIN}/cat`, '--', link(target))).rejects.toThrow('Permission denied');
  });

  it('reads nothing of other tenants, and lists nothing', async () => {
    await expect(run(`${BIN}/cat`, `${link(outside)}/secret`)).rejects.toThrow('Permission denied');
    await expect(run(`${BIN}/ls`, './link/')).rejects.toThrow('Permission denied');
  });

  it('writes to no device but the null device', async () => {
    const written = link('/dev/shm/confined-program');
    const copying = run(`${BIN}/dd`, 'if=own', `of=${written}`, 'status=none');
    await expect(copying).rejects.toThrow('Permission denied');
    expect(await run(`${BIN}/dd`, 'if=own', 'of=/dev/null', 'status=none')).toBe('');
  });

  it('changes no attributes by a link in a vfolder', async () => {
    const before = fs.statSync(path.join(outside, 'secret'), { bigint: true });
    const target = `${link(outside)}/secret`;
    await run(`${BIN}/chmod`, '0666', target);
    await run(`${BIN}/chown`, '12345', target);
    await run(`${BIN}/touch`, '--no-create', '--no-dereference', '--date=2001-01-01', target);
    await run(`${BIN}/truncate`, '--size=0', target).catch(() => undefined);
    expect(fs.statSync(path.join(outside, 'secret'), { bigint: true })).toEqual(before);
  });

  it('sets the times of what it has open', async () => {
    await run(`${BIN}/touch`, '--date=2001-01-01T00:00:00Z', './own');
    expect(fs.statSync(path.join(tree, 'own')).mtime.toISOString()).toBe(
      '2001-01-01T00:00:00.000Z',
    );
  });

  it('takes as many names as a page of a directory has', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => `${index}-`.padEnd(250, '"'));
    const output = await run(`${BIN}/printf`, '%s\\n', ...names);
    expect(output.trim().split('\n')).toEqual(names);
  });

  it('fails as a program, not as the proxy, where the kernel takes no such argument', async () => {
    const longest = 'x'.repeat(200_000);
    await expect(run(`${BIN}/printf`, longest)).rejects.toMatchObject({ name: 'ToolError' });
  });
});
