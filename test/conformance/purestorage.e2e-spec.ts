import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { flashBladeOptions } from '../support/flashblade-options.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';
import { InstalledToolkit } from '../support/rapidfile/install-toolkit.js';
import { describeBackend } from './backend-suite.js';
import { BackendHost, HERE, location, type BackendUnderTest } from './suite/backend-under-test.js';
import { makeWideTree } from './suite/trees.js';

/**
 * On a local disk, where this kernel can confine the toolkit's programs to the trees they work on; over NFS the suite
 * runs in test/flashblade. What is special to toolkit 1 is in test/e2e/flashblade.
 */
describe('RapidFile Toolkit 2', () => {
  const toolkit = new InstalledToolkit(2);
  let array: PuritySimulator;

  beforeAll(async () => {
    array = await PuritySimulator.start();
  });
  afterAll(async () => {
    await array.stop();
    toolkit.remove();
  });

  const subject: BackendUnderTest = {
    name: 'purestorage',
    // Each program is two starts of Node.js here.
    isSlow: true,
    listedTimesNs: 1_000_000_000n,
    async makeVolume() {
      const directory = await fs.promises.mkdtemp(path.join(os.tmpdir(), 'flashblade-'));
      return {
        path: directory,
        options: flashBladeOptions(array, toolkit),
        dispose: () => fs.promises.rm(directory, { recursive: true, force: true }),
      };
    },
  };
  describeBackend(subject);

  it('counts and copies no directory of the array, and asks programs that hide names nothing', async () => {
    const host = new BackendHost(subject);
    await host.start();
    const volume = await host.open();
    const { trees } = volume.strategies;
    fs.mkdirSync(volume.at('tree/.snapshot/daily'), { recursive: true });
    fs.mkdirSync(volume.at('tree/deep/.snapshot'), { recursive: true });
    fs.writeFileSync(volume.at('tree/.snapshot/daily/old'), 'x'.repeat(5000));
    fs.writeFileSync(volume.at('tree/deep/.hidden'), 'x');
    const before = fs.statSync(volume.at('tree/deep')).size;
    const right = { fileCount: 2, usedBytes: before + 1 };
    expect(await trees.usage(location('tree'))).toMatchObject(right);
    await trees.copy(location('tree'), location('copy'));
    expect(fs.readdirSync(volume.at('copy'))).toEqual(['deep']);

    toolkit.change({ hidesDots: true });
    const again = await host.backend.open(volume.settings);
    expect(again.warnings.join()).toMatch(/pls of this toolkit.*pdu of this toolkit/);
    expect(await again.trees.usage(location('copy'))).toMatchObject(right);
    const { entries } = await again.trees.list(location('copy/deep'), HERE, { limit: 0 });
    expect(entries.map(({ name }) => name.toString())).toEqual(['.hidden']);
    toolkit.change({});
    await again.close(5000);
    await volume.close();
    await host.stop();
  });

  it('refuses files that hold no token and no certificate, and closes while the array is silent', async () => {
    const host = new BackendHost(subject);
    await host.start();
    const volume = await host.open();
    const file = volume.at('file');
    const open = (changes: object): Promise<unknown> => {
      const options = { ...flashBladeOptions(array), ...changes };
      return host.backend.open({ ...volume.settings, options });
    };
    for (const content of ['', '\n', 'T-1 T-2\n', 'T-1\n\n', 'Täglich']) {
      fs.writeFileSync(file, content);
      const changes = { apiToken: undefined, tokenFile: file };
      await expect(open(changes)).rejects.toThrow('holds no API token');
      await expect(open({ caFile: file })).rejects.toThrow('holds no certificate');
    }
    fs.writeFileSync(file, `${array.apiToken}\r\n`);
    const options = { ...flashBladeOptions(array), timeoutMs: 2 ** 30, tokenFile: file };
    const silent = await host.backend.open({
      ...volume.settings,
      options: { ...options, apiToken: undefined },
    });
    array.fault = () => ({ kind: 'hang' });
    // The goodbye to the array waits for twelve days.
    await silent.close(10);
    array.fault = () => undefined;
    await volume.close();
    await host.stop();
  });

  it('does its work with the programs, whose failures the plain walk would hide', async () => {
    const host = new BackendHost(subject);
    await host.start();
    const volume = await host.open();
    const { trees, telemetry } = volume.strategies;
    makeWideTree(volume.at('tree'), 3, 10);
    expect(await trees.usage(location('tree'))).toMatchObject({ fileCount: 33 });
    expect((await trees.list(location('tree'), HERE, { limit: 0 })).entries).toHaveLength(3);
    await trees.copy(location('tree'), location('copy'));
    await trees.remove(location('copy'));
    const { status, statusInfo } = await telemetry.hardwareInfo();
    expect([status, statusInfo]).toEqual(['healthy', null]);
    await volume.close();
    await host.stop();
  });
});
