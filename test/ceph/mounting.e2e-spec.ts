import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerTo, begin } from '../support/http.js';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { Proxy } from '../support/proxy.js';
import { DoomedClient } from './doomed-client.js';
import { CephDirectory } from './rig.js';

const MIB = 1024 * 1024;
const NOBODY = 65534;
const OPEN_VOLUME = path.join(__dirname, 'open-volume-process.mjs');

let directory: CephDirectory;

beforeEach(() => {
  directory = new CephDirectory();
  fs.writeFileSync(directory.on('operator', 'version.txt'), '3\n');
});
afterEach(() => directory.remove());

/** How a volume is opened by a process of this user. */
function opened(volume: string, uid = 0): string {
  return execFileSync(process.execPath, [OPEN_VOLUME, String(uid), volume], { encoding: 'utf8' });
}

describe('a volume whose client is cut off', () => {
  let client: DoomedClient;
  let volume: string;

  beforeEach(async () => {
    client = new DoomedClient();
    await client.mount();
    // A directory of the mount, as a volume is that shares it with others.
    volume = path.join(client.mountPoint, directory.name);
  });
  afterEach(() => client.dispose());

  it('says why, and is good when it is mounted again', async () => {
    expect(opened(volume)).toBe('good');
    const cutOff = `the Ceph client mounted at ${client.mountPoint} is cut off from its cluster`;
    client.evict();
    expect(opened(volume)).toContain(`${cutOff}: it was evicted or blocklisted (E`);
    await client.unmount();
    expect(opened(volume)).toContain(`${volume} does not exist. Mount`);
    await client.mount();
    expect(opened(volume)).toBe('good');
    await client.kill();
    expect(opened(volume)).toContain(`${cutOff}: its ceph-fuse process has ended (ENOTCONN)`);
  });

  it('makes an upload fail as unavailable', async () => {
    const ceph = { backend: 'cephfs', path: volume };
    const proxy = await Proxy.start({}, { volumes: [], furtherVolumes: { ceph } });
    try {
      const folder = await proxy.createFolder('scoped', newVFolderId('scoped'), 'ceph');
      const staged = directory.on('operator', vfolderPath(folder.vfid), '.upload');
      const content = randomBytes(4 * MIB);
      const token = await proxy.uploadToken(folder, 'file', content.length);
      const url = `${proxy.clientOrigin}/upload?token=${token}`;
      const headers = { 'upload-offset': 0, 'content-length': content.length };
      const patch = begin('PATCH', url, headers);
      const answer = answerTo(patch).then(
        ({ status }) => status,
        () => 0,
      );
      patch.write(content.subarray(0, 2 * MIB));
      await untilStaged(staged, MIB);
      client.evict();
      patch.end(content.subarray(2 * MIB));
      // Nobody is told that it has arrived, nor that the proxy is broken.
      expect([0, 503]).toContain(await answer);
    } finally {
      await proxy.stop();
    }
  });
});

async function untilStaged(staged: string, bytes: number): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (
    !fs.readdirSync(staged).some((name) => fs.statSync(path.join(staged, name)).size >= bytes)
  ) {
    if (Date.now() > deadline) throw new Error('waited in vain for bytes of the upload');
    await sleep(100);
  }
}

describe('a volume that its user may not use', () => {
  const openedByNobody = (): string => opened(directory.on('a'), NOBODY);

  it('is not said to be cut off', () => {
    fs.chmodSync(directory.on('operator'), 0o700);
    expect(openedByNobody()).toMatch(/UNAVAILABLE: .*uid 65534 may not read, write and search/);
  });

  it('names the directory of the proxy where that is another user’s', () => {
    fs.chmodSync(directory.on('operator'), 0o777);
    fs.mkdirSync(directory.on('operator', '.storage-proxy'), { mode: 0o700 });
    expect(openedByNobody()).toMatch(/\/\.storage-proxy belongs to another user than uid 65534/);
    fs.rmdirSync(directory.on('operator', '.storage-proxy'));
    expect(openedByNobody()).toBe('good');
  });
});
