import { checkNfsMount, parseMountInfo } from './nfs-mount.js';

describe('NFS mounts', () => {
  it('are read from mountinfo', () => {
    const text = [
      '22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw',
      '90 22 0:45 /vol /mnt/vol rw,nosuid shared:2 master:1 - nfs server:/vol rw,vers=3,local_lock=none',
      '',
    ].join('\n');
    expect(parseMountInfo(text)).toEqual([
      { major: 8, minor: 1, type: 'ext4', options: ['rw', 'relatime', 'rw'] },
      {
        major: 0,
        minor: 45,
        type: 'nfs',
        options: ['rw', 'nosuid', 'rw', 'vers=3', 'local_lock=none'],
      },
    ]);
  });

  it('are wanted, unless the operator does without', async () => {
    const options = { requireNfs: true, localLocks: 'refuse' } as const;
    await expect(checkNfsMount('blade', '/proc', options)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('not an NFS mount but proc') as unknown,
    });
    expect(await checkNfsMount('blade', '/proc', { ...options, requireNfs: false })).toEqual([]);
  });
});
