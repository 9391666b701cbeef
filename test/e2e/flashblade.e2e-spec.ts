import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { isRunning } from '../support/processes.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';
import { InstalledToolkit } from '../support/rapidfile/install-toolkit.js';
import { TestServer, type ServerOptions } from '../support/server.js';

/** FlashBlade volumes in a running proxy, well and unwell; on a local disk, so without `require_nfs`. */
describe('FlashBlade volumes', () => {
  let array: PuritySimulator;
  let toolkit: InstalledToolkit;
  let server: TestServer | undefined;
  let directory: string;

  beforeEach(async () => {
    array = await PuritySimulator.start();
    toolkit = new InstalledToolkit(1);
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'flashblade-'));
    fs.writeFileSync(path.join(directory, 'version.txt'), '3\n');
  });
  afterEach(async () => {
    await server?.stop();
    server = undefined;
    await array.stop();
    toolkit.remove();
    fs.rmSync(directory, { recursive: true, force: true });
  });

  const serve = async (
    changes: Record<string, unknown> = {},
    options: ServerOptions = {},
  ): Promise<TestServer> => {
    const blade = {
      backend: 'purestorage',
      path: directory,
      options: {
        purity_endpoint: array.endpoint,
        purity_api_token: array.apiToken,
        purity_api_version: '1.8',
        purity_fs_name: 'vfolders',
        purity_timeout: '1s',
        rapidfile_path: toolkit.directory,
        // Every listing is worth a program.
        rapidfile_list_from: 0,
        require_nfs: false,
        ...changes,
      },
    };
    server = await TestServer.start({
      ...options,
      config: {
        volume: { blade },
        'storage-proxy': { 'scandir-limit': 0, 'volume-stats': { 'cache-ttl': 1 } },
      },
    });
    return server;
  };
  const listed = async (): Promise<string[]> => {
    const { json } = await server!.manager('GET', '/volumes');
    return (json['volumes'] as { name: string }[]).map(({ name }) => name).toSorted();
  };
  const ask = (method: string, url: string, body: object = {}) =>
    server!.manager(method, url, { volume: 'blade', ...body });

  it('tells what the array says', async () => {
    await serve();
    const { json } = await server!.manager('GET', '/volumes');
    expect(json['volumes']).toContainEqual(
      expect.objectContaining({
        name: 'blade',
        backend: 'purestorage',
        capabilities: ['fast-fs-size', 'fast-scan', 'metric', 'vfolder'],
      }),
    );
    expect((await ask('GET', '/volume/hwinfo')).json).toMatchObject({
      status: 'healthy',
      metadata: {
        id: array.state.identity.id,
        name: 'flash-1',
        blade_count: '7',
        console_url: array.endpoint,
      },
    });
    expect((await ask('GET', '/folder/fs-usage')).json).toMatchObject({
      capacity_bytes: 100 * 2 ** 30,
      used_bytes: 30 * 2 ** 30,
    });
    const { json: measured } = await ask('GET', '/volume/performance-metric');
    expect(measured['metric']).toMatchObject({
      iops_read: 121,
      iops_write: 60,
      io_bytes_read: 1_048_576,
    });
  });

  it('shows failed hardware in /health, and serves on', async () => {
    array.state.alerts = [
      { severity: 'critical', state: 'open', component: 'CH1.FB3', summary: 'blade failed' },
    ];
    await serve();
    await server!.until('the alert in /health', async () => {
      const { text } = await server!.manager('GET', '/health');
      return text.includes('blade failed');
    });
    expect(await listed()).toEqual(['blade', 'local']);
    expect((await ask('GET', '/volume/hwinfo')).json).toMatchObject({
      status: 'degraded',
      status_info: 'alert: CH1.FB3: blade failed',
    });
  });

  it.each<[string, () => Record<string, unknown>, string]>([
    ['a wrong token', () => ({ purity_api_token: 'T-not-the-token' }), 'purity_api_token'],
    ['an unknown file system', () => ({ purity_fs_name: 'nope' }), 'no file system \\"nope\\"'],
    [
      'an array that is not there',
      () => ({ purity_endpoint: 'http://127.0.0.1:1' }),
      'ECONNREFUSED',
    ],
    ['a version that it lacks', () => ({ purity_api_version: '1.11' }), 'does not offer'],
    ['no toolkit', () => ({ rapidfile_path: directory }), 'rapidfile = \\"off\\"'],
    ['no NFS mount', () => ({ require_nfs: true }), 'not an NFS mount'],
    [
      'another program of that name',
      () => {
        toolkit.program('pdu', '#!/bin/sh\necho "pdu 0.21.1"\n');
        return {};
      },
      'is another program',
    ],
    [
      'a toolkit that hangs',
      () => {
        toolkit.program('pdu', '#!/bin/sh\nexec sleep 1000\n');
        return { rapidfile: 'off' };
      },
      '',
    ],
  ])('with %s lists the other volumes, and says why', async (_, changes, reason) => {
    await serve(changes());
    if (reason === '') return expect(await listed()).toEqual(['blade', 'local']);
    expect(await listed()).toEqual(['local']);
    const { text } = await server!.manager('GET', '/health');
    expect(text).toContain(reason);
    expect(server!.output).not.toContain(array.apiToken);
    expect((await ask('GET', '/folder/fs-usage')).status).toBe(503);
  });

  it('serves files while the array is away, and its figures again afterwards', async () => {
    await serve();
    await array.stop();
    const vfid = newVFolderId('scoped');
    expect((await ask('POST', '/folder/create', { vfid })).status).toBe(204);
    await server!.until('the last figures to age', async () => {
      return (await ask('GET', '/volume/performance-metric')).status === 503;
    });
    expect((await ask('GET', '/volume/hwinfo')).json).toMatchObject({ status: 'unavailable' });
    expect(await listed()).toEqual(['blade', 'local']);
    await array.listen();
    expect((await ask('GET', '/volume/performance-metric')).status).toBe(200);
  });

  describe('when the toolkit', () => {
    const vfid = newVFolderId('scoped');
    const inFolder = (...names: string[]): string =>
      path.join(directory, vfolderPath(vfid), ...names);

    const fill = async (): Promise<void> => {
      expect((await ask('POST', '/folder/create', { vfid })).status).toBe(204);
      fs.mkdirSync(inFolder('a/b'), { recursive: true });
      for (let index = 0; index < 20; index++) fs.writeFileSync(inFolder(`a/b/${index}`), 'x');
    };
    const usage = async (): Promise<unknown> =>
      (await ask('GET', '/folder/usage', { vfid })).json['file_count'];
    const names = async (): Promise<number> => {
      const body = { vfid, relpath: 'a/b' };
      return ((await ask('POST', '/folder/file/list', body)).json['items'] as unknown[]).length;
    };

    it.each([
      ['crashes half-way', { crashAfter: 5 }, 'was ended by SIGSEGV'],
      ['fails half-way', { failAfter: 5 }, 'ended with status 3: pdu: internal error 17'],
      ['cannot be understood', { garbage: 'Segmentation fault' }, 'ends in the middle of a record'],
    ])('%s, the answer is right all the same, and the failure is told', async (_, pdu, said) => {
      await serve();
      await fill();
      toolkit.change({ pdu, pls: pdu });
      expect(await usage()).toBe(22);
      expect(await names()).toBe(20);
      expect(server!.output).toContain(said);
      const { text } = await server!.manager('GET', '/health');
      expect(text).toContain('RapidFile Toolkit, while');
    });

    it('leaves a process behind, that is ended with it', async () => {
      await serve();
      await fill();
      const pidFile = path.join(toolkit.directory, 'child');
      toolkit.change({ pls: { child: pidFile, crashAfter: 0 } });
      expect(await names()).toBe(20);
      expect(isRunning(Number(fs.readFileSync(pidFile, 'utf8')))).toBe(false);
    });

    it('hangs, it is ended with the proxy', async () => {
      await serve();
      await fill();
      toolkit.change({ pdu: { hang: true } });
      const waiting = usage().catch(() => undefined);
      await server!.until('the program to run', () => running().length > 0);
      server!.signal('SIGKILL');
      await waiting;
      await server!.until('the program to end', () => running().length === 0);
    });

    /** Processes of the installed toolkit. */
    const running = (): string[] =>
      fs
        .readdirSync('/proc')
        .filter((entry) => /^\d+$/.test(entry))
        .filter((pid) => {
          try {
            return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(toolkit.directory);
          } catch {
            return false;
          }
        });

    it('follows every link, it still cannot leave the folder', async () => {
      const outside = path.join(directory, 'outside');
      fs.mkdirSync(outside);
      fs.writeFileSync(path.join(outside, 'secret'), 'of another tenant');
      await serve();
      await fill();
      fs.symlinkSync(outside, inFolder('a/link'));
      toolkit.change({ followsLinks: true });
      expect(await usage()).toBe(23);
      const target = newVFolderId('scoped');
      const clone = { src_volume: 'blade', src_vfid: vfid, dst_volume: 'blade', dst_vfid: target };
      expect((await ask('POST', '/folder/clone', clone)).status).toBeLessThan(300);
      const copy = path.join(directory, vfolderPath(target));
      await server!.until('the clone', () => fs.existsSync(path.join(copy, 'a/b/19')));
      expect(fs.readlinkSync(path.join(copy, 'a/link'))).toBe(outside);
      const { status } = await ask('POST', '/folder/file/delete', {
        vfid,
        relpaths: ['a'],
        recursive: true,
      });
      expect(status).toBeLessThan(300);
      expect(fs.existsSync(inFolder('a'))).toBe(false);
      expect(fs.readFileSync(path.join(outside, 'secret'), 'utf8')).toBe('of another tenant');
    });
  });

  it('renames deleted trees into .fast-remove, which nobody else sees', async () => {
    fs.mkdirSync(path.join(directory, '.fast-remove'));
    array.state.fileSystems[0]!.fast_remove_directory_enabled = true;
    await serve({ fast_remove: true });
    const vfid = newVFolderId('scoped');
    expect((await ask('POST', '/folder/create', { vfid })).status).toBe(204);
    fs.mkdirSync(path.join(directory, vfolderPath(vfid), 'deep/er'), { recursive: true });
    expect((await ask('POST', '/folder/delete', { vfid })).status).toBe(202);
    await server!.until('the array to be given the tree', () =>
      fs
        .readdirSync(path.join(directory, '.fast-remove'), { recursive: true })
        .join()
        .includes('er'),
    );
  });
});
