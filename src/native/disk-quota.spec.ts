import fc from 'fast-check';
import { decodeDiskQuota, emptyDiskQuota, encodeLimits } from './disk-quota.js';
import { decodeFileAttributes, emptyFileAttributes, withProject } from './file-attributes.js';
import { parseMounts } from './mounts.js';
import { isAtLeast } from './project-calls.js';

describe('limits as the kernel takes them', () => {
  it('are never less than asked for, and never more by a unit', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (hardBytes) => {
        const kept = encodeLimits(1, { hardBytes }).readBigUInt64LE(8) * 512n;
        expect(kept).toBeGreaterThanOrEqual(BigInt(hardBytes));
        expect(kept - BigInt(hardBytes)).toBeLessThan(512n);
      }),
    );
  });

  it.each([
    [{ hardBytes: 1024 }, 0x8],
    [{ softBytes: 1024 }, 0x4],
    [{ hardInodes: 1 }, 0x2],
    [{ softInodes: null }, 0x1],
    [{ hardBytes: null, softBytes: null, hardInodes: null, softInodes: null }, 0xf],
    [{}, 0],
  ])('set only what is given: %j', (limits, mask) => {
    expect(encodeLimits(42, limits).readUInt16LE(2)).toBe(mask);
    expect(encodeLimits(42, limits).readUInt32LE(4)).toBe(42);
  });

  it.each([0, -1, 0.5, Number.NaN, Infinity, 2 ** 53])('refuse %d', (hardBytes) => {
    expect(() => encodeLimits(1, { hardBytes })).toThrow('not a limit');
  });

  it.each([-1, 0.5, 0xffff_ffff, 2 ** 32, Number.NaN])('refuse project %d', (id) => {
    expect(() => encodeLimits(id, {})).toThrow('not a project id');
    const attributes = decodeFileAttributes(emptyFileAttributes());
    expect(() => withProject(attributes, id, true)).toThrow('not a project id');
  });

  it('refuse project 0, whose limits every other one would get', () => {
    expect(() => encodeLimits(0, { hardBytes: 1 })).toThrow('every project');
  });
});

describe('a quota record', () => {
  it('is decoded in bytes; 0 is no limit', () => {
    const raw = emptyDiskQuota();
    raw.writeUInt32LE(42, 4);
    raw.writeBigUInt64LE(20480n, 8);
    raw.writeBigUInt64LE(16n, 40);
    raw.writeBigUInt64LE(3n, 48);
    expect(decodeDiskQuota(raw)).toEqual({
      projectId: 42,
      hardBytes: 10 * 1024 * 1024,
      softBytes: null,
      hardInodes: null,
      softInodes: null,
      usedBytes: 8192,
      usedInodes: 3,
      bytesGraceEndsAt: null,
      inodesGraceEndsAt: null,
    });
  });

  it.each([Number.MAX_SAFE_INTEGER, 2 ** 53 - 512])(
    'is what a number holds exactly when the kernel rounded %d up, and can be set again',
    (hardBytes) => {
      const raw = encodeLimits(1, { hardBytes });
      raw.writeBigUInt64LE(2n ** 53n / 512n, 8);
      const read = decodeDiskQuota(raw).hardBytes;
      expect(read).toBe(Number.MAX_SAFE_INTEGER);
      expect(encodeLimits(1, { hardBytes: read }).readBigUInt64LE(8)).toBe(2n ** 53n / 512n);
    },
  );

  it('has timers of 32 bits, or of 40 when it says so', () => {
    const raw = emptyDiskQuota();
    raw.writeInt32LE(1_800_000_000, 60);
    expect(decodeDiskQuota(raw).bytesGraceEndsAt).toBe(1_800_000_000);
    raw.writeUInt32LE(5, 56);
    raw.writeInt8(1, 68);
    raw.writeUInt16LE(0x8000, 2);
    expect(decodeDiskQuota(raw).inodesGraceEndsAt).toBe(2 ** 32 + 5);
  });
});

it('changing the project of an inode keeps its other attributes', () => {
  const raw = emptyFileAttributes();
  raw.writeUInt32LE(0x8000_0048, 0);
  raw.writeUInt32LE(4096, 4);
  const changed = withProject(decodeFileAttributes(raw), 7, true);
  expect(changed.readUInt32LE(0)).toBe(0x8000_0248);
  expect(changed.readUInt32LE(4)).toBe(4096);
  expect(decodeFileAttributes(changed)).toMatchObject({ projectId: 7, inheritsProject: true });
  const back = withProject(decodeFileAttributes(changed), 0, false);
  expect(back).toEqual(raw);
});

it('mounts are read with their blanks, type and options', () => {
  const line =
    '36 35 98:16 /sub /mnt/with\\040blank rw,noatime shared:1 - xfs /dev/ubdb rw,attr2,prjquota\n';
  expect(parseMounts(`${line}\n`)).toEqual([
    {
      dev: (98n << 32n) | 16n,
      mountPoint: '/mnt/with blank',
      root: '/sub',
      type: 'xfs',
      source: '/dev/ubdb',
      superOptions: ['rw', 'attr2', 'prjquota'],
    },
  ]);
});

it.each([
  ['5.14.0-362.el9', true],
  ['6.1.0-18-amd64', true],
  ['5.10.0-28', false],
  ['4.18.0', false],
])('kernel %s has quotactl_fd: %s', (release, has) => {
  expect(isAtLeast(release, 5, 14)).toBe(has);
});
