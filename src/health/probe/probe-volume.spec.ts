import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeVolume, sweepStaleProbes } from './probe-volume.js';

describe('probeVolume', () => {
  let volume: string;

  beforeEach(() => {
    volume = fs.mkdtempSync(join(tmpdir(), 'probe-'));
  });
  afterEach(() => fs.rmSync(volume, { recursive: true, force: true }));

  it('finds a good volume good, and leaves no file behind', () => {
    expect(probeVolume(volume, false)).toMatchObject({
      mounted: true,
      readable: true,
      writable: true,
      message: null,
      mountPoint: false,
    });
    expect(fs.readdirSync(join(volume, '.storage-proxy'))).toEqual([]);
    expect(fs.statSync(join(volume, '.storage-proxy')).mode & 0o777).toBe(0o700);
  });

  it('names what is missing', () => {
    const missing = join(volume, 'missing');
    const { mounted, message } = probeVolume(missing, false);
    expect(mounted).toBe(false);
    expect(message).toBe(`${missing}: ENOENT no such file or directory, stat`);
  });

  it('refuses a file in the place of the volume', () => {
    fs.writeFileSync(join(volume, 'file'), '');
    const { mounted, message } = probeVolume(join(volume, 'file'), false);
    expect({ mounted, message }).toEqual({
      mounted: false,
      message: `${join(volume, 'file')}: is not a directory`,
    });
  });

  it('writes nothing where a mount is missing', () => {
    const { mounted, message } = probeVolume(volume, true);
    expect({ mounted, message }).toEqual({
      mounted: false,
      message: `${volume}: is not mounted any more`,
    });
    expect(fs.readdirSync(volume)).toEqual([]);
  });

  it('tells a volume that cannot be written from one that is gone', () => {
    fs.writeFileSync(join(volume, '.storage-proxy'), 'in the way');
    expect(probeVolume(volume, false)).toMatchObject({
      mounted: true,
      readable: true,
      writable: false,
      message: expect.stringContaining('ENOTDIR'),
    });
  });

  it('recognises the root of a mount', () => {
    expect(probeVolume('/proc', false)).toMatchObject({ mountPoint: true, writable: false });
  });
});

describe('sweepStaleProbes', () => {
  it('removes old probe files and nothing else', () => {
    const volume = fs.mkdtempSync(join(tmpdir(), 'probe-'));
    const records = join(volume, '.storage-proxy');
    fs.mkdirSync(join(records, 'jobs'), { recursive: true });
    for (const name of ['probe-old', 'probe-new', 'other'])
      fs.writeFileSync(join(records, name), '');
    fs.utimesSync(join(records, 'probe-old'), 0, 0);
    fs.utimesSync(join(records, 'other'), 0, 0);
    sweepStaleProbes(volume);
    expect(fs.readdirSync(records).toSorted()).toEqual(['jobs', 'other', 'probe-new']);
    expect(() => sweepStaleProbes(join(volume, 'missing'))).not.toThrow();
  });
});
