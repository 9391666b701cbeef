import type { Listing, ListOptions } from '../../contract/entry.js';
import { RapidFileTrees, type RapidFileParts } from './rapidfile-trees.js';

const HERE = Buffer.from('.');
const ROOT = { path: HERE };
const LIST_FROM = 10;

/** Which of both read directories of so many entries, with the number that they were asked for. */
function readersOf(entries: number, options: ListOptions, listFrom = LIST_FROM): Promise<string[]> {
  const readers: string[] = [];
  const listing = (limit: number): Listing => ({
    entries: [],
    ...(limit > 0 && entries > limit && { nextCursor: 'more' }),
  });
  const plain = {
    list: async (_root: unknown, _path: unknown, { limit }: ListOptions) => {
      readers.push(`walk ${limit}`);
      return listing(limit);
    },
  };
  const tools = {
    list: async (_directory: unknown, limit: number) => {
      readers.push(`pls ${limit}`);
      return limit > 0 && entries > limit ? 'more' : [];
    },
  };
  const parts = {
    tools,
    anchors: { open: async () => ({ [Symbol.dispose]: () => undefined }) },
    reservedNames: [],
    listFrom,
    habits: { listsAll: true, usage: { countsAll: true, isCumulative: true } },
  };
  const trees = new RapidFileTrees(plain as never, parts as unknown as RapidFileParts);
  return trees.list(ROOT, HERE, options).then(() => readers);
}

describe('RapidFileTrees', () => {
  it.each<[string, number, ListOptions, string[]]>([
    ['a small directory', LIST_FROM, { limit: 0 }, ['walk 10']],
    ['a large directory', LIST_FROM + 1, { limit: 0 }, ['walk 10', 'pls 0']],
    ['the start of a large one', 1000, { limit: LIST_FROM }, ['walk 10']],
    ['as many as there are', 50, { limit: 50 }, ['walk 10', 'pls 50']],
    ['less than there are', 1000, { limit: 50 }, ['walk 10', 'pls 50', 'walk 50']],
    ['a further page', 1000, { limit: 50, cursor: 'more' }, ['walk 50']],
  ])('reads %s by the means that are quick for it', async (_, entries, options, readers) => {
    expect(await readersOf(entries, options)).toEqual(readers);
  });

  it('asks the program at once where every directory is worth it', async () => {
    expect(await readersOf(1, { limit: 0 }, 0)).toEqual(['pls 0']);
  });
});
