import { checkNfsMount, mountWarnings, parseMountInfo } from './nfs-mount.js';

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

  it.each([
    [['hard', 'lookupcache=pos'], []],
    [['hard', 'softreval', 'noac'], []],
    [['soft', 'lookupcache=pos'], ['"soft"']],
    [['softerr', 'actimeo=0'], ['"softerr"']],
    [['soft'], ['"soft"', 'lookupcache=positive']],
  ])('with %j are warned of %j', (options, expected) => {
    const warnings = mountWarnings('blade', options);
    expect(warnings).toEqual(expected.map((each) => expect.stringContaining(each) as unknown));
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
