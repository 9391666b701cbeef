import { centralHeader, endOfArchive, localHeader, type CentralEntry } from './zip-records.js';

const entry: CentralEntry = {
  name: Buffer.from('a'),
  mode: 0o100644,
  mtimeNs: 1_772_330_645_000_000_000n,
  method: 8,
  crc: 1,
  compressedBytes: 10,
  sizeBytes: 20,
  offset: 30,
  hasDescriptor: false,
  zip64: false,
};
const LIMIT = 0xffff_ffff;

/** The ZIP64 values of a central header. */
function zip64Values(header: Buffer): number[] | undefined {
  const end = header.length;
  for (let at = 46 + header.readUInt16LE(28); at < end; at += 4 + header.readUInt16LE(at + 2)) {
    if (header.readUInt16LE(at) !== 1) continue;
    const count = header.readUInt16LE(at + 2) / 8;
    return Array.from({ length: count }, (_, i) => Number(header.readBigUInt64LE(at + 4 + i * 8)));
  }
  return undefined;
}

describe('ZIP records', () => {
  it.each<[Partial<CentralEntry>, number[] | undefined]>([
    [{}, undefined],
    [{ sizeBytes: LIMIT - 1, compressedBytes: LIMIT - 1, offset: LIMIT - 1 }, undefined],
    [{ sizeBytes: LIMIT }, [LIMIT]],
    [{ offset: LIMIT + 5 }, [LIMIT + 5]],
    [{ sizeBytes: 2 ** 40, compressedBytes: LIMIT + 1 }, [2 ** 40, LIMIT + 1]],
    [
      { sizeBytes: 2 ** 40, compressedBytes: 2 ** 39, offset: 2 ** 41 },
      [2 ** 40, 2 ** 39, 2 ** 41],
    ],
  ])('puts into the ZIP64 field what does not fit: %j', (changes, expected) => {
    const header = centralHeader({ ...entry, ...changes });
    expect(zip64Values(header)).toEqual(expected);
    expect(header.readUInt16LE(6)).toBe(expected ? 45 : 20);
  });

  it.each([
    [{ entries: 0xfffe, offset: 1, lengthBytes: 1 }, 22],
    [{ entries: 0xffff, offset: 1, lengthBytes: 1 }, 98],
    [{ entries: 1, offset: LIMIT, lengthBytes: 1 }, 98],
    [{ entries: 1, offset: 1, lengthBytes: LIMIT }, 98],
  ])('ends %j with the ZIP64 records where they are needed', (extent, length) => {
    expect(endOfArchive(extent)).toHaveLength(length);
  });

  it.each([
    ['plain', 0],
    ['caf\u00e9', 0x800],
  ])('flags the name %j', (name, flag) => {
    expect(localHeader({ ...entry, name: Buffer.from(name) }, entry).readUInt16LE(6)).toBe(flag);
  });

  it.each([
    [0n, '1980-01-01 00:00:00'],
    [-5_000_000_000n, '1980-01-01 00:00:00'],
    [1_772_330_645_999_999_999n, '2026-03-01 02:04:04'],
    [10_000_000_000_000_000_000n, '2107-12-31 23:59:58'],
  ])('writes %d ns as the DOS time %s', (mtimeNs, expected) => {
    const dos = localHeader({ ...entry, mtimeNs }, entry).readUInt32LE(10);
    const two = (n: number): string => String(n).padStart(2, '0');
    const date = `${(dos >>> 25) + 1980}-${two((dos >>> 21) & 15)}-${two((dos >>> 16) & 31)}`;
    const time = `${two((dos >>> 11) & 31)}:${two((dos >>> 5) & 63)}:${two((dos & 31) * 2)}`;
    expect(`${date} ${time}`).toBe(expected);
  });
});
