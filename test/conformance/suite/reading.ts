import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type { Entry, ScannedEntry } from '../../../src/backend/contract/entry.js';
import type { TreeOperations } from '../../../src/backend/contract/tree-operations.js';
import { HERE, location, type BackendHost, type OpenVolume } from './backend-under-test.js';
import { makeDeepTree, makeOddNames, ODD_NAMES, sortedNames } from './trees.js';

const ENOENT = 2;
const ENOTDIR = 20;

/** list, scan and usage. */
export function describeReading(host: BackendHost): void {
  let volume: OpenVolume;
  let trees: TreeOperations;
  const root = location('scope/ab/cd/folder');

  beforeEach(async () => {
    volume = await host.open();
    ({ trees } = volume.strategies);
    fs.mkdirSync(volume.at('scope/ab/cd/folder/sub'), { recursive: true });
    fs.writeFileSync(at('sub/file'), 'content', { mode: 0o640 });
    fs.symlinkSync('sub', at('inside'));
    fs.symlinkSync('../../../..', at('outside'));
    fs.symlinkSync('/etc', at('absolute'));
    fs.symlinkSync('nowhere', at('dangling'));
    execFileSync('mkfifo', [at('fifo')]);
  });
  afterEach(() => volume.close());

  // Names of one letter and their slashes: more than a path of 4096 bytes can hold.
  const [many, page] = host.subject.isSlow ? [500, 199] : [2500, 999];

  const at = (path: string): string => volume.at('scope/ab/cd/folder', path);
  const list = async (path: string): Promise<Entry[]> => [
    ...(await trees.list(root, Buffer.from(path), { limit: 0 })).entries,
  ];
  const scan = async (path = HERE): Promise<ScannedEntry[]> => {
    const found: ScannedEntry[] = [];
    for await (const batch of trees.scan(root, path)) found.push(...batch);
    return found;
  };

  const rounded = (ns: bigint): bigint => ns - (ns % (host.subject.listedTimesNs ?? 1n));

  it('lists every kind of entry by its own stat', async () => {
    const entries = await list('.');
    const types = Object.fromEntries(entries.map(({ name, type }) => [name.toString(), type]));
    expect(types).toEqual({
      sub: 'DIRECTORY',
      inside: 'SYMLINK',
      outside: 'SYMLINK',
      absolute: 'SYMLINK',
      dangling: 'SYMLINK',
      fifo: 'FILE',
    });
    const dangling = entries.find(({ name }) => name.toString() === 'dangling');
    expect(dangling?.target?.toString()).toBe('nowhere');
    const [file] = await list('sub');
    const stat = fs.statSync(at('sub/file'), { bigint: true });
    expect(file).toMatchObject({
      mode: 0o100640,
      sizeBytes: 7,
      mtimeNs: rounded(stat.mtimeNs),
      ctimeNs: rounded(stat.ctimeNs),
    });
  });

  it('leaves out the names it is told to, in pages too', async () => {
    const omit = [Buffer.from('sub'), Buffer.from('absolute'), Buffer.from('missing')];
    const names = async (limit: number): Promise<string[]> => {
      const seen: string[] = [];
      let cursor: string | undefined;
      do {
        const page = { limit, omit, ...(cursor !== undefined && { cursor }) };
        const { entries, nextCursor } = await trees.list(root, HERE, page);
        seen.push(...entries.map(({ name }) => name.toString()));
        cursor = nextCursor;
      } while (cursor !== undefined);
      return seen.toSorted();
    };
    const expected = ['dangling', 'fifo', 'inside', 'outside'];
    expect(await names(0)).toEqual(expected);
    expect(await names(1)).toEqual(expected);
  });

  it('scans small files with their content, or leaves it to whoever asks for it', async () => {
    fs.writeFileSync(at('larger'), 'x'.repeat(101));
    const found: ScannedEntry[] = [];
    for await (const batch of trees.scan(root, HERE, { contentUpToBytes: 100 })) {
      found.push(...batch);
    }
    const plain = await scan();
    expect(found.map((entry) => ({ ...entry, content: undefined }))).toEqual(plain);
    for (const { path, content } of found) {
      if (path.toString() === 'sub/file')
        expect([undefined, 'content']).toContain(content?.toString());
      else expect(content).toBeUndefined();
    }
  });

  it('follows links on the way while they stay inside the root', async () => {
    expect((await list('inside')).map(({ name }) => name.toString())).toEqual(['file']);
    expect((await scan(Buffer.from('inside'))).map(({ path }) => path.toString())).toEqual([
      'file',
    ]);
  });

  it.each(['outside', 'outside/scope', 'absolute', '../folder2', '..'])(
    'does not leave the root by %s',
    async (path) => {
      fs.mkdirSync(volume.at('scope/ab/cd/folder2'));
      await expect(list(path)).rejects.toMatchObject({ name: 'SystemError', code: 'EXDEV' });
      await expect(scan(Buffer.from(path))).rejects.toMatchObject({ code: 'EXDEV' });
    },
  );

  it('does not leave the volume by a link in place of a location', async () => {
    fs.symlinkSync('/etc', volume.at('link'));
    await expect(trees.usage(location('link'))).rejects.toMatchObject({ code: 'EXDEV' });
    await expect(trees.list(location('link'), HERE, { limit: 0 })).rejects.toThrow('EXDEV');
  });

  it.each([
    ['missing', ENOENT],
    ['dangling', ENOENT],
    ['sub/file', ENOTDIR],
    ['fifo', ENOTDIR],
  ])('reports the system error of %s', async (path, errno) => {
    await expect(list(path)).rejects.toMatchObject({ name: 'SystemError', errno });
    await expect(scan(Buffer.from(path))).rejects.toMatchObject({ errno });
  });

  it('pages through a directory without losing or repeating an entry', async () => {
    fs.mkdirSync(at('many'));
    for (let index = 0; index < many; index++) fs.writeFileSync(at(`many/${index}`), '');
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const options = { limit: page, ...(cursor !== undefined && { cursor }) };
      const got = await trees.list(root, Buffer.from('many'), options);
      expect(got.entries.length).toBeLessThanOrEqual(page);
      names.push(...got.entries.map(({ name }) => name.toString()));
      cursor = got.nextCursor;
    } while (cursor !== undefined);
    expect(names).toHaveLength(many);
    expect(new Set(names).size).toBe(many);
  });

  it('refuses a cursor that it did not make', async () => {
    const listing = trees.list(root, HERE, { limit: 1, cursor: '../etc' });
    await expect(listing).rejects.toMatchObject({ code: 'EINVAL' });
  });

  it('keeps names as bytes', async () => {
    fs.mkdirSync(at('odd'));
    makeOddNames(at('odd'));
    const listed = (await list('odd')).map(({ name }) => name);
    expect(sortedNames(listed)).toEqual(sortedNames(ODD_NAMES));
    const scanned = (await scan(Buffer.from('odd'))).map(({ path }) => path);
    expect(sortedNames(scanned)).toEqual(sortedNames(ODD_NAMES));
  });

  it('scans files, directories and links, each directory before its content', async () => {
    const paths = (await scan()).map(({ path }) => path.toString());
    expect(paths.toSorted()).toEqual(
      ['absolute', 'dangling', 'inside', 'outside', 'sub', 'sub/file'].toSorted(),
    );
    expect(paths.indexOf('sub')).toBeLessThan(paths.indexOf('sub/file'));
  });

  it('leaves names out of a scan at its top', async () => {
    const found: string[] = [];
    for await (const batch of trees.scan(root, HERE, { omit: [Buffer.from('sub')] })) {
      found.push(...batch.map(({ path }) => path.toString()));
    }
    expect(found).not.toContain('sub/file');
  });

  it('counts what is below, and follows nothing', async () => {
    // Counters of a filesystem know the sizes of files alone.
    const sizes = (await scan())
      .filter(({ type }) => type !== 'DIRECTORY' || !trees.knowsUsageAtOnce)
      .map(({ sizeBytes }) => sizeBytes);
    const usedBytes = sizes.reduce((sum, size) => sum + size, 0);
    const exact = await trees.usage(root, { exact: true });
    expect(exact).toEqual({ fileCount: 7, usedBytes });
    await expect(trees.usage(location('missing'))).rejects.toMatchObject({ errno: ENOENT });
    await settled(async () => {
      const { lagSeconds = 0, ...counted } = await trees.usage(root);
      expect(counted).toEqual(exact);
      expect(lagSeconds > 0).toBe(trees.knowsUsageAtOnce);
    });
  });

  it('walks trees deeper than a path can be long, and than a process has descriptors', async () => {
    await makeDeepTree(at('deep'), host.deepLevels);
    const { fileCount } = await trees.usage(root, { exact: true });
    expect(fileCount).toBe(7 + host.deepLevels + 1);
    const deepest = Math.max(...(await scan()).map(({ path }) => path.length));
    expect(deepest).toBeLessThanOrEqual(4095);
    await trees.removeEntry(root, Buffer.from('deep'));
    expect(fs.existsSync(at('deep'))).toBe(false);
  });
}

/** Tries again while a filesystem's counters are behind. */
async function settled(attempt: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}
