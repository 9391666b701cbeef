import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import type { TreeOperations } from '../../../src/backend/contract/tree-operations.js';
import { location, type BackendHost, type OpenVolume } from './backend-under-test.js';
import { descriptorsBelow, makeDeepTree, makeOddNames } from './trees.js';

/** copy, remove and removeEntry, each of them run twice. */
export function describeChanging(host: BackendHost): void {
  let volume: OpenVolume;
  let trees: TreeOperations;

  beforeEach(async () => {
    volume = await host.open();
    ({ trees } = volume.strategies);
    fs.mkdirSync(at('source/a/b'), { recursive: true });
    fs.writeFileSync(at('source/a/file'), 'content', { mode: 0o640 });
    fs.symlinkSync('../../..', at('source/a/link'));
    makeOddNames(at('source/a/b'));
    fs.utimesSync(at('source/a/file'), 1e9, 1e9 + 0.5);
    fs.chmodSync(at('source/a/b'), 0o555);
    fs.mkdirSync(at('source/.upload'));
    fs.writeFileSync(at('source/.upload/session'), 'half');
  });
  afterEach(async () => {
    expect(descriptorsBelow(volume.disk.path)).toEqual([]);
    await volume.close();
  });

  const at = (path: string): string => volume.at(path);
  const source = location('source');
  const destination = location('scope/destination');
  const omit = [Buffer.from('.upload')];

  /** What a copy keeps, by a program that is not ours. */
  const describeTree = (path: string): string =>
    execFileSync(
      'find',
      ['.', '-path', './.upload', '-prune', '-o', '-printf', '%P %y %m %T@ %l\n'],
      {
        cwd: path,
      },
    )
      .toString('latin1')
      .split('\n')
      .toSorted()
      .slice(1)
      .join('\n');

  describe('copy', () => {
    beforeEach(() => fs.mkdirSync(at('scope')));

    it('keeps content, modes, times and links, leaves out what it is told to, twice', async () => {
      for (const durable of [false, true]) {
        await trees.copy(source, destination, { omit, durable });
        expect(fs.existsSync(at('scope/destination/.upload'))).toBe(false);
        expect(describeTree(at('scope/destination'))).toBe(describeTree(at('source')));
      }
      execFileSync('diff', ['-r', '--no-dereference', at('source/a'), at('scope/destination/a')]);
    });

    it('fills a directory that is there already, and keeps what else it holds', async () => {
      fs.mkdirSync(at('scope/destination'));
      fs.writeFileSync(at('scope/destination/own'), 'mine');
      await trees.copy(source, destination, { omit });
      expect(fs.readdirSync(at('scope/destination')).toSorted()).toEqual(['a', 'own']);
    });

    it('keeps holes', async () => {
      fs.writeFileSync(at('source/sparse'), 'start');
      const length = host.subject.isSlow ? 1 << 24 : 1 << 30;
      fs.truncateSync(at('source/sparse'), length);
      await trees.copy(source, destination);
      const { size, blocks } = fs.statSync(at('scope/destination/sparse'));
      expect(size).toBe(length);
      // Where the filesystem tells nothing of holes there are none to be found; a file server may reserve more than was written.
      const reserved = host.subject.isSlow ? 1 << 13 : 0;
      expect(blocks).toBeLessThanOrEqual(fs.statSync(at('source/sparse')).blocks + reserved);
    });

    it('copies into another volume', async () => {
      const other = await host.open();
      try {
        const options = { omit, durable: true, destinationVolumePath: other.disk.path };
        await trees.copy(source, location('copied'), options);
        expect(describeTree(other.at('copied'))).toBe(describeTree(at('source')));
      } finally {
        await other.close();
      }
    });

    it('reports a source or a parent of the destination that is missing', async () => {
      const missing = { name: 'SystemError', errno: 2 };
      await expect(trees.copy(location('none'), destination)).rejects.toMatchObject(missing);
      await expect(trees.copy(source, location('no/where'))).rejects.toMatchObject(missing);
    });

    it('is completed by repeating it after a cancellation', async () => {
      for (let index = 0; index < (host.subject.isSlow ? 60 : 300); index++) {
        fs.writeFileSync(at(`source/a/large${index}`), Buffer.alloc(100_000, index));
      }
      const controller = new AbortController();
      const copying = trees.copy(source, destination, { omit, signal: controller.signal });
      await until(() => fs.existsSync(at('scope/destination/a')));
      controller.abort(new Error('enough'));
      await expect(copying).rejects.toThrow('enough');
      expect(describeTree(at('scope/destination'))).not.toBe(describeTree(at('source')));
      expect(leftovers(at('scope/destination/a'))).toEqual([]);
      await trees.copy(source, destination, { omit });
      expect(describeTree(at('scope/destination'))).toBe(describeTree(at('source')));
    });
  });

  describe('remove', () => {
    it('removes the directory with everything below, twice', async () => {
      await trees.remove(source);
      await trees.remove(source);
      expect(fs.existsSync(at('source'))).toBe(false);
      await trees.remove(location('no/such/place'));
    });

    it('empties a directory that it is to keep, twice', async () => {
      for (const _ of ['first', 'again']) {
        await trees.remove(source, { keepDirectory: true });
        expect(fs.readdirSync(at('source'))).toEqual([]);
      }
    });

    it('removes trees deeper than a path can be long', async () => {
      await makeDeepTree(at('deep'), host.deepLevels);
      await trees.remove(location('deep'));
      expect(fs.existsSync(at('deep'))).toBe(false);
    });

    it('does not mind that others remove the same tree', async () => {
      for (let index = 0; index < 50; index++) {
        fs.mkdirSync(at(`source/x${index}/y`), { recursive: true });
        makeOddNames(at(`source/x${index}/y`));
      }
      await Promise.all([trees.remove(source), trees.remove(source), trees.remove(source)]);
      expect(fs.existsSync(at('source'))).toBe(false);
    });
  });

  describe('removeEntry', () => {
    const remove = (path: string): Promise<void> => trees.removeEntry(source, Buffer.from(path));

    it('removes a tree, a file or a link itself, twice', async () => {
      for (const _ of ['first', 'again']) {
        await remove('a/link');
        await remove('a/file');
        await remove('a/b');
      }
      expect(fs.readdirSync(at('source/a'))).toEqual([]);
      expect(fs.existsSync(at('source/.upload/session'))).toBe(true);
    });

    it('follows links on the way only while they stay inside', async () => {
      fs.symlinkSync('a', at('source/inside'));
      fs.symlinkSync('..', at('source/outside'));
      fs.writeFileSync(at('bystander'), '');
      await remove('inside/file');
      expect(fs.existsSync(at('source/a/file'))).toBe(false);
      await expect(remove('outside/bystander')).rejects.toMatchObject({ code: 'EXDEV' });
      await expect(remove('../bystander')).rejects.toMatchObject({ code: 'EXDEV' });
      expect(fs.existsSync(at('bystander'))).toBe(true);
    });

    it.each(['.', '', 'a/'])('refuses %j, which names no entry', async (path) => {
      await expect(remove(path)).rejects.toMatchObject({ code: 'EINVAL' });
    });
  });
}

/** Files of a copy that are not whole. */
function leftovers(directory: string): string[] {
  return fs.readdirSync(directory).filter((name) => name.endsWith('.partial'));
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
