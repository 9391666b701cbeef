import fc from 'fast-check';
import { ByteRing } from './byte-ring.js';

const KIB = 1024;
const MIB = 1024 * KIB;

/** Takes so many rings, looks at the last one, and gives all back. */
function sizeOfLast(rings: number): number {
  const taken = Array.from({ length: rings }, () => ByteRing.take());
  const size = taken.at(-1)!.sizeBytes;
  for (const ring of taken) ring.giveBack();
  return size;
}

describe('ByteRing', () => {
  it('never hands out memory that is in use, and loses no byte', () => {
    const step = fc.record({ fill: fc.nat(900 * KIB), release: fc.nat(900 * KIB) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const ring = ByteRing.take();
        const held: { bytes: Buffer; mark: number }[] = [];
        steps.forEach(({ fill, release }, mark) => {
          const space = ring.space(fill);
          if (ring.freeBytes >= space.length) {
            space.fill(mark);
            ring.fill(space.length);
            held.push({ bytes: space, mark });
          }
          for (let left = release; held.length > 0 && held[0]!.bytes.length <= left;) {
            const { bytes } = held.shift()!;
            ring.release(bytes.length);
            left -= bytes.length;
          }
          for (const { bytes, mark: written } of held) {
            expect(bytes.equals(Buffer.alloc(bytes.length, written))).toBe(true);
          }
        });
        for (const { bytes } of held) ring.release(bytes.length);
        expect(ring.isEmpty).toBe(true);
        ring.giveBack();
      }),
      { numRuns: 20 },
    );
  });

  it.each([
    [1, 2 * MIB],
    [16, 2 * MIB],
    [17, MIB],
    [100, 256 * KIB],
    [1000, 128 * KIB],
  ])('of %i rings each has its share', (rings, bytes) => {
    expect(sizeOfLast(rings)).toBe(bytes);
    expect(sizeOfLast(1)).toBe(2 * MIB);
  });
});
