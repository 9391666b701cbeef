import type { QuotaStatus } from '../backend/contract/quota-model.js';
import { StorageError } from '../errors/storage-error.js';
import { Errno, SystemError } from '../native/errno.js';
import { explainFull } from './full-quota.js';
import { VFolderId } from './ids/vfolder-id.js';
import type { Volume } from './volume.js';

const MIB = 1024 * 1024;
const ID = VFolderId.parse('0f0e0d0c-0b0a-4090-8070-605040302010');

const volumeWith = (status: Partial<QuotaStatus>, freeBytes = 1000 * MIB): Volume =>
  ({
    name: 'v',
    strategies: {
      quota: {
        enforcesVFolders: true,
        describeVFolder: async () => ({ usedBytes: 0, limitBytes: null, ...status }),
      },
      telemetry: {
        capacity: async () => ({ capacityBytes: 2000 * MIB, usedBytes: 2000 * MIB - freeBytes }),
      },
    },
  }) as unknown as Volume;
const enospc = new SystemError(Errno.ENOSPC, 'write');

describe('telling a full quota from a full disk', () => {
  it.each<[string, Partial<QuotaStatus>, number?]>([
    ['the limit is reached', { usedBytes: 10 * MIB, limitBytes: 10 * MIB }],
    ['a little is left, less than the write needed', { usedBytes: 9 * MIB, limitBytes: 10 * MIB }],
    ['the limit was set below what is used', { usedBytes: 20 * MIB, limitBytes: 10 * MIB }],
    ['all inodes are used', { usedInodes: 5, limitInodes: 5 }],
    ['the grace period has ended', { usedBytes: 2, softLimitBytes: 1, bytesGraceEndsAt: 1 }],
    ['both are full, the quota more so', { usedBytes: 10, limitBytes: 10 }, 0],
  ])('says the quota when %s', async (_, status, ...[freeBytes]) => {
    expect(await explainFull(volumeWith(status, freeBytes), ID, enospc)).toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { errno: Errno.EDQUOT, vfid: ID.toString(), data: expect.any(Object) as unknown },
    });
  });

  it.each<[string, Partial<QuotaStatus>, number?]>([
    ['there is no limit', {}],
    ['much is left', { usedBytes: 10 * MIB, limitBytes: 100 * MIB }],
    ['the disk has less left than the quota', { usedBytes: 9 * MIB, limitBytes: 10 * MIB }, 4096],
    ['the grace period still runs', { usedBytes: 2, softLimitBytes: 1, bytesGraceEndsAt: 2 ** 33 }],
  ])('leaves the error alone when %s', async (_, status, ...[freeBytes]) => {
    expect(await explainFull(volumeWith(status, freeBytes), ID, enospc)).toBe(enospc);
  });

  it('tells what is used of which limit', async () => {
    const status = { usedBytes: 10 * MIB, limitBytes: 10 * MIB };
    const error = new StorageError('NO_SPACE', undefined, { subject: 'entry', paths: ['a'] });
    expect(await explainFull(volumeWith(status), ID, error)).toMatchObject({
      message: `the quota is full: ${10 * MIB} of ${10 * MIB} bytes are used`,
      details: {
        subject: 'entry',
        paths: ['a'],
        data: { used_bytes: 10 * MIB, limit_bytes: 10 * MIB },
      },
    });
  });

  it('asks nobody about other errors, and about those that say it already', async () => {
    const volume = {
      get strategies(): never {
        throw new Error('asked');
      },
    } as unknown as Volume;
    const told = new StorageError('QUOTA_EXCEEDED', undefined, { data: { used_bytes: 1 } });
    const missing = new SystemError(Errno.ENOENT, 'open');
    for (const error of [told, missing]) expect(await explainFull(volume, ID, error)).toBe(error);
  });
});
