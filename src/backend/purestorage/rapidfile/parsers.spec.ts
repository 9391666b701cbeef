import fc from 'fast-check';
import { parseListedRecord, UncertainName } from './listing-record.js';
import { splitRecords } from './records.js';
import { ToolError } from './tool-error.js';
import { ReservedEntry, UsageSum } from './usage-records.js';

async function* chunked(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Buffer> {
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) return;
    yield bytes.subarray(at, at + size);
    at += size;
  }
  if (at < bytes.length) yield bytes.subarray(at);
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

describe('splitRecords', () => {
  const record = fc
    .uint8Array({ maxLength: 40 })
    .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 0)));

  it('gives back what was joined, however it was cut into chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record),
        fc.array(fc.integer({ min: 1, max: 50 })),
        async (records, sizes) => {
          const joined = Buffer.concat(records.flatMap((each) => [each, Buffer.from([0])]));
          const split = await collect(splitRecords(chunked(joined, sizes), 0));
          expect(split.map((each) => each.toString('hex'))).toEqual(
            records.map((each) => each.toString('hex')),
          );
        },
      ),
    );
  });

  it('does not ask for more while nobody asks it', async () => {
    let asked = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        asked++;
        yield Buffer.from('a\0b\0');
      }
    }
    const records = splitRecords(endless(), 0);
    await records.next();
    await records.next();
    expect(asked).toBe(1);
    await records.return();
  });

  it.each([
    ['that was cut short', 'whole\0half', 'in the middle of a record'],
    ['without an end', 'x'.repeat(70_000), 'a record without an end'],
  ])('refuses a record %s', async (_, text, message) => {
    const records = collect(splitRecords(chunked(Buffer.from(text), [20_000]), 0));
    await expect(records).rejects.toThrow(message);
    await expect(records).rejects.toBeInstanceOf(ToolError);
  });
});

describe('parseListedRecord', () => {
  const line = (changes: object): Buffer =>
    Buffer.from(
      JSON.stringify({
        path: './name',
        filetype: 32768,
        size: 7,
        uid: 0,
        mode: 420,
        mtime: 1_700_000_000,
        ctime: 1_700_000_001.5,
        ...changes,
      }),
    );

  it.each([
    [16384, 'DIRECTORY', 0o040000],
    [40000, 'DIRECTORY', 0o040000],
    [40960, 'SYMLINK', 0o120000],
    [120000, 'SYMLINK', 0o120000],
    [32768, 'FILE', 0o100000],
    [100000, 'FILE', 0o100000],
    [4096, 'FILE', 0o010000],
  ])('knows filetype %i as %s', (filetype, type, format) => {
    expect(parseListedRecord(line({ filetype }), 2)).toEqual({
      name: Buffer.from('name'),
      type,
      mode: format | 0o644,
      sizeBytes: 7,
      mtimeNs: 1_700_000_000_000_000_000n,
      ctimeNs: 1_700_000_001_500_000_000n,
    });
  });

  it('reads the mode of toolkit 1 as octal digits', () => {
    expect(parseListedRecord(line({ mode: 644 }), 1).mode).toBe(0o100644);
    expect(parseListedRecord(line({ mode: 4755 }), 1).mode).toBe(0o104755);
    expect(() => parseListedRecord(line({ mode: 489 }), 1)).toThrow(ToolError);
  });

  it('keeps every name that UTF-8 can say', () => {
    const name = fc.string({ unit: 'binary', minLength: 1 }).filter((text) => {
      const isName = !/[/\0\ufffd]/.test(text) && text !== '.' && text !== '..';
      return isName && !/\p{Cs}/u.test(text);
    });
    fc.assert(
      fc.property(name, (text) => {
        const { name } = parseListedRecord(line({ path: `./${text}` }), 2);
        expect(name.equals(Buffer.from(text))).toBe(true);
      }),
    );
  });

  it.each<[string, Buffer]>([
    [
      'is not UTF-8',
      Buffer.concat([Buffer.from('{"path":"./'), Buffer.from([0xff, 0x80]), line({}).subarray(10)]),
    ],
    ['was replaced', line({ path: './a\ufffdb' })],
    ['is half a character', Buffer.from(line({}).toString().replace('name', '\\udcff'))],
    ['was cut by a line break', Buffer.from('{"path":"./with')],
  ])('is uncertain of a name that %s', (_, bytes) => {
    expect(() => parseListedRecord(bytes, 2)).toThrow(UncertainName);
  });

  it('understands nothing else, and says so', () => {
    const odd = fc.oneof(
      fc.json(),
      fc.string(),
      fc
        .record({ path: fc.constantFrom('', '.', './..', 'a/', 7), filetype: fc.integer() })
        .map((value) => JSON.stringify(value)),
    );
    fc.assert(
      fc.property(odd, (text) => {
        try {
          parseListedRecord(Buffer.from(text), 2);
        } catch (error) {
          expect(error instanceof ToolError || error instanceof UncertainName).toBe(true);
          return;
        }
        throw new Error(`understood ${text}`);
      }),
    );
  });
});

describe('UsageSum', () => {
  const sum = (isCumulative: boolean, records: readonly string[]): UsageSum => {
    const usage = new UsageSum(isCumulative);
    for (const record of records) usage.add(Buffer.from(record, 'latin1'));
    return usage;
  };

  it.each<[string, boolean, string[]]>([
    ['contain what is below', true, ['5\t./a/f', '25\t./a', '7\t./g\nh', '42\t.']],
    ['contain only that', true, ['25\t./a/f', '25\t./a', '7  ./g', '32\t./']],
    ['are counted alone', false, ['5 ./a/f', '20 ./a', '7 ./g', '10 .']],
    ['shrink meanwhile', true, ['5 ./a/f', '25 ./a', '7 ./g', '30 .']],
  ])('adds up when directories %s', (_, isCumulative, records) => {
    expect(sum(isCumulative, records).result()).toEqual({ fileCount: 3, usedBytes: 32 });
  });

  it('counts nothing in an empty directory', () => {
    expect(sum(true, ['4096\t.']).result()).toEqual({ fileCount: 0, usedBytes: 0 });
  });

  it.each(['', 'x\t./a', '-5\t./a', '5', '5\t'])('does not understand %j', (record) => {
    expect(() => sum(true, [record])).toThrow(ToolError);
  });

  it.each(['./a/.snapshot', './.snapshot/', '.snapshot'])('notices %j', (path) => {
    const usage = new UsageSum(true, [Buffer.from('.snapshot')]);
    expect(() => usage.add(Buffer.from(`5\t${path}`))).toThrow(ReservedEntry);
    usage.add(Buffer.from('5\t./a.snapshot'));
  });

  it('wants the total, once', () => {
    expect(() => sum(true, ['5\t./a']).result()).toThrow('lacks the total');
    expect(() => sum(true, ['5\t.', '5\t.'])).toThrow(ToolError);
  });
});
