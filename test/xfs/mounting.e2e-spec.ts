import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { makeAgent, ScratchVolume, SPARE_DEVICE, XFS_MOUNT } from './support/guest.js';

const MOUNT = '/mnt/spare';
const CHECK_VOLUME = path.join(__dirname, 'support/check-volume-process.mjs');
const NOBODY = 65534;

describe('a volume', () => {
  let volume: ScratchVolume;

  beforeEach(() => {
    fs.mkdirSync(MOUNT, { recursive: true });
    volume = new ScratchVolume('v');
  });
  afterEach(() => {
    volume.dispose();
    // Fails where nothing was mounted.
    spawnSync('umount', [MOUNT]);
  });

  const mounted = (type: string, options: string, source = SPARE_DEVICE): void => {
    execFileSync('mount', ['-t', type, '-o', options, source, MOUNT], { stdio: 'inherit' });
  };
  const check = async (): Promise<void> => {
    const agent = await makeAgent({ ...volume.settings, path: MOUNT });
    await agent.checkVolume('v');
  };
  const refusal = (text: string): unknown =>
    expect.objectContaining({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(text) as unknown,
    });

  it('is good when XFS is mounted with pquota', async () => {
    mounted('xfs', 'pquota');
    await expect(check()).resolves.toBeUndefined();
  });

  it('is unavailable without project quotas, and a remount does not help', async () => {
    mounted('xfs', 'defaults');
    await expect(check()).rejects.toEqual(refusal('without project quotas (noquota)'));
    await expect(check()).rejects.toEqual(refusal('"pquota": unmount it first'));
    execFileSync('mount', ['-o', 'remount,pquota', MOUNT]);
    await expect(check()).rejects.toEqual(refusal('without project quotas'));
  });

  it('is unavailable when limits are counted and not enforced', async () => {
    mounted('xfs', 'pqnoenforce');
    await expect(check()).rejects.toEqual(refusal('enforces no limit (pqnoenforce)'));
  });

  it('is unavailable on another filesystem', async () => {
    mounted('tmpfs', 'size=1m', 'none');
    await expect(check()).rejects.toEqual(refusal(`${MOUNT} is tmpfs, not XFS`));
  });

  it('is unavailable to a process that may not manage quotas, which is told what to do', () => {
    const settings = JSON.stringify({ ...volume.settings, path: XFS_MOUNT });
    const said = execFileSync(process.execPath, [CHECK_VOLUME, settings], {
      encoding: 'utf8',
      uid: NOBODY,
      gid: NOBODY,
    });
    expect(said).toContain(`UNAVAILABLE: Volume "v" cannot be used: uid ${NOBODY} may not manage`);
    expect(said).toContain('Run the agent');
  });
});
