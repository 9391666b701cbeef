import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { BodyReader } from './body-reader.js';
import { StreamBody } from './stream-body.js';

const KIB = 1024;
const CHUNK = Buffer.alloc(64 * KIB, 'x');

describe('BodyReader', () => {
  const readers: BodyReader[] = [];

  afterEach(() => {
    for (const reader of readers.splice(0)) reader.close();
  });

  /** A reader of a body that has more bytes than any reader takes before they are asked for. */
  const open = (): { body: Readable; reader: BodyReader } => {
    const body = new Readable({ read: () => body.push(CHUNK) });
    const reader = new BodyReader(new StreamBody(body), {
      limitBytes: Infinity,
      idleTimeoutMs: 60_000,
    });
    readers.push(reader);
    return { body, reader };
  };

  /** Bytes that are gathered when nobody takes them. */
  const gathered = async ({ body, reader }: ReturnType<typeof open>): Promise<number> => {
    while (!body.isPaused()) await turn();
    return (await reader.next())!.reduce((sum, { length }) => sum + length, 0);
  };

  it.each([
    ['a mebibyte', 1, 1024],
    ['a share', 16, 128],
    ['at least what one read brings', 100, 64],
  ])('gathers two batches of %s when there are %i bodies', async (_, bodies, batchKib) => {
    const others = Array.from({ length: bodies - 1 }, open);
    for (const { body } of others) body.pause();
    expect(await gathered(open())).toBe(2 * batchKib * KIB);
    for (const { reader } of others) reader.close();
    // Closed twice by now, as nobody should mind.
    for (const { reader } of others) reader.close();
    readers.pop()!.close();
    expect(await gathered(open())).toBe(2 * 1024 * KIB);
  });

  it('gives what it has when its share grows while the body is paused', async () => {
    const others = Array.from({ length: 15 }, open);
    for (const { body } of others) body.pause();
    const { body, reader } = open();
    while (!body.isPaused()) await turn();
    for (const { reader: other } of others) other.close();
    let isGiven = false;
    void reader.next().then(() => (isGiven = true));
    await turn();
    expect(isGiven).toBe(true);
  });
});
