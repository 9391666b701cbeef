import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { newVFolderId, vfolderPath } from '../support/ids.js';
import { isRunning } from '../support/processes.js';
import { PuritySimulator } from '../support/purity-simulator/purity-simulator.js';
import { InstalledToolkit } from '../support/rapidfile/install-toolkit.js';
import { TestServer } from '../support/server.js';

/** FlashBlade volumes in a running proxy, well and unwell; on a local disk, so without `require_nfs`. */
describe('FlashBlade volumes', () => {
  let array: PuritySimulator;
  let toolkit: InstalledToolkit;
  let server: TestServer | undefined;
  let directory: string;

  const set = async (): Promise<void> => {
    array = await PuritySimulator.start();
    toolkit = new InstalledToolkit(1);
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'flashblade-'));
  };
  const clear = async (): Promise<void> => {
    await server?.stop();
    server = undefined;
    await array.stop();
    toolkit.remove();
    fs.rmSync(directory, { recursive: true, force: true });
  };

  const mountOf = (volume: string): string => path.join(directory, volume);
  /** Each volume by its options, as far as they are not those of one that works. */
  const serve = async (volumes: Record<string, Record<string, unknown>>): Promise<void> => {
    const sections = Object.entries(volumes).map(([name, changes]) => {
      fs.mkdirSync(mountOf(name), { recursive: true });
      fs.writeFileSync(path.join(mountOf(name), 'version.txt'), '3\n');
      const options = {
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
      };
      return [name, { backend: 'purestorage', path: mountOf(name), options }] as const;
    });
    server = await TestServer.start({
      config: {
        volume: Object.fromEntries(sections),
        'storage-proxy': { 'scandir-limit': 0, 'volume-stats': { 'cache-ttl': 1 } },
      },
    });
  };
  const listed = async (): Promise<string[]> => {
    const { json } = await server!.manager('GET', '/volumes');
    return (json['volumes'] as { name: string }[]).map(({ name }) => name).toSorted();
  };
  const ask = (method: string, url: string, body: object = {}) =>
    server!.manager(method, url, { volume: 'blade', ...body });
  const healthTells = (text: string): Promise<void> =>
    server!.until(`${text} in /health`, async () => {
      return (await server!.manager('GET', '/health')).text.includes(text);
    });
  const inFolder = (vfid: string, ...names: string[]): string =>
    path.join(mountOf('blade'), vfolderPath(vfid), ...names);
  /** A folder with 22 entries, 20 of them in `a/b`. */
  const filledFolder = async (): Promise<string> => {
    const vfid = newVFolderId('scoped');
    expect((await ask('POST', '/folder/create', { vfid })).status).toBe(204);
    fs.mkdirSync(inFolder(vfid, 'a/b'), { recursive: true });
    for (let index = 0; index < 20; index++) fs.writeFileSync(inFolder(vfid, `a/b/${index}`), 'x');
    return vfid;
  };
  const usage = async (vfid: string): Promise<unknown> =>
    (await ask('GET', '/folder/usage', { vfid })).json['file_count'];
  const names = async (vfid: string): Promise<number> => {
    const { json } = await ask('POST', '/folder/file/list', { vfid, relpath: 'a/b' });
    return (json['items'] as unknown[]).length;
  };

  /** In this order: a failure of the toolkit is told of for ten minutes. */
  describe('with a toolkit of version 1', () => {
    beforeAll(async () => {
      await set();
      await serve({ blade: {} });
    });
    afterEach(() => toolkit.change({}));
    afterAll(clear);

    it('tell what the array says', async () => {
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

    it('keep it inside the folder although it follows every link', async () => {
      const outside = path.join(directory, 'outside');
      fs.mkdirSync(outside);
      fs.writeFileSync(path.join(outside, 'secret'), 'of another tenant');
      const vfid = await filledFolder();
      fs.symlinkSync(outside, inFolder(vfid, 'a/link'));
      toolkit.change({ followsLinks: true });
      expect(await usage(vfid)).toBe(23);
      const target = newVFolderId('scoped');
      const clone = { src_volume: 'blade', src_vfid: vfid, dst_volume: 'blade', dst_vfid: target };
      const { status, json } = await ask('POST', '/folder/clone', clone);
      expect(status).toBe(200);
      await server!.until('the clone', async () => {
        const job = await server!.manager('GET', `/jobs/${String(json['bgtask_id'])}`);
        return job.json['state'] === 'done';
      });
      expect(fs.existsSync(inFolder(target, 'a/b/19'))).toBe(true);
      expect(fs.readlinkSync(inFolder(target, 'a/link'))).toBe(outside);
      const removal = { vfid, relpaths: ['a'], recursive: true };
      expect((await ask('POST', '/folder/file/delete', removal)).status).toBeLessThan(300);
      await server!.until('the removal', () => !fs.existsSync(inFolder(vfid, 'a')));
      expect(fs.readFileSync(path.join(outside, 'secret'), 'utf8')).toBe('of another tenant');
    });

    it.each([
      ['crashes half-way', { crashAfter: 5 }, 'was ended by SIGSEGV'],
      ['fails half-way', { failAfter: 5 }, 'ended with status 3: pdu: internal error 17'],
      ['cannot be understood', { garbage: 'Segmentation fault' }, 'ends in the middle of a record'],
    ])('answer right although it %s, and tell the failure', async (_, pdu, said) => {
      const vfid = await filledFolder();
      toolkit.change({ pdu, pls: pdu });
      expect(await usage(vfid)).toBe(22);
      expect(await names(vfid)).toBe(20);
      await server!.until('the failure in the log', () => server!.output.includes(said));
      await healthTells('RapidFile Toolkit, while');
    });

    it('end a process that it leaves behind', async () => {
      const vfid = await filledFolder();
      const pidFile = path.join(toolkit.directory, 'child');
      toolkit.change({ pls: { child: pidFile, crashAfter: 0 } });
      expect(await names(vfid)).toBe(20);
      const pid = Number(fs.readFileSync(pidFile, 'utf8'));
      await server!.until('the process to end', () => !isRunning(pid));
    });

    it('serve files while the array is away, and its figures again afterwards', async () => {
      array.fault = () => ({ kind: 'drop' });
      const vfid = newVFolderId('scoped');
      expect((await ask('POST', '/folder/create', { vfid })).status).toBe(204);
      const metric = async (): Promise<number> =>
        (await ask('GET', '/volume/performance-metric')).status;
      await server!.until('the last figures to age', async () => (await metric()) === 503);
      await server!.until('the last identity to age', async () => {
        return (await ask('GET', '/volume/hwinfo')).json['status'] === 'unavailable';
      });
      expect(await listed()).toEqual(['blade', 'local']);
      array.fault = () => undefined;
      await server!.until('new figures', async () => (await metric()) === 200);
    });
  });

  describe('that cannot be used', () => {
    const CASES = {
      token: 'purity_api_token',
      filesystem: 'no file system \\"nope\\"',
      unreachable: 'ECONNREFUSED',
      version: 'does not offer',
      toolkit: 'rapidfile = \\"off\\"',
      mount: 'not an NFS mount',
      program: 'is another program',
    };
    let other: InstalledToolkit;

    beforeAll(async () => {
      await set();
      other = new InstalledToolkit(1);
      other.program('pdu', '#!/bin/sh\necho "pdu 0.21.1"\n');
      toolkit.program('pdu', '#!/bin/sh\nexec sleep 1000\n');
      const works = { rapidfile: 'off' };
      await serve({
        token: { ...works, purity_api_token: 'T-not-the-token' },
        filesystem: { ...works, purity_fs_name: 'nope' },
        unreachable: { ...works, purity_endpoint: 'http://127.0.0.1:1' },
        version: { ...works, purity_api_version: '1.11' },
        toolkit: { rapidfile_path: directory },
        mount: { ...works, require_nfs: true },
        program: { rapidfile_path: other.directory },
        // Its toolkit hangs, and is not asked.
        works,
      });
    });
    afterAll(async () => {
      await clear();
      other.remove();
    });

    it('are left out, and the others listed', async () => {
      expect(await listed()).toEqual(['local', 'works']);
      expect(server!.output).not.toContain(array.apiToken);
    });

    it.each(Object.entries(CASES))('say why: %s', async (volume, reason) => {
      const { text, status } = await ask('GET', '/folder/fs-usage', { volume });
      expect([status, text]).toEqual([503, expect.anything()]);
      await healthTells(reason);
    });
  });

  describe('in a proxy of their own', () => {
    beforeEach(set);
    afterEach(clear);

    it('show failed hardware in /health, and serve on', async () => {
      array.state.alerts = [
        { severity: 'critical', state: 'open', component: 'CH1.FB3', summary: 'blade failed' },
      ];
      await serve({ blade: {} });
      await healthTells('blade failed');
      expect(await listed()).toEqual(['blade', 'local']);
      expect((await ask('GET', '/volume/hwinfo')).json).toMatchObject({
        status: 'degraded',
        status_info: 'alert: CH1.FB3: blade failed',
      });
    });

    it('end a program that hangs when the proxy dies', async () => {
      await serve({ blade: {} });
      const vfid = await filledFolder();
      toolkit.change({ pdu: { hang: true } });
      const waiting = usage(vfid).catch(() => undefined);
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

    it('rename deleted trees into .fast-remove, which nobody else sees', async () => {
      array.state.fileSystems[0]!.fast_remove_directory_enabled = true;
      fs.mkdirSync(path.join(mountOf('blade'), '.fast-remove'), { recursive: true });
      await serve({ blade: { fast_remove: true } });
      const vfid = newVFolderId('scoped');
      expect((await ask('POST', '/folder/create', { vfid })).status).toBe(204);
      fs.mkdirSync(inFolder(vfid, 'deep/er'), { recursive: true });
      expect((await ask('POST', '/folder/delete', { vfid })).status).toBe(202);
      await server!.until('the array to be given the tree', () =>
        fs
          .readdirSync(path.join(mountOf('blade'), '.fast-remove'), { recursive: true })
          .join()
          .includes('er'),
      );
    });
  });
});
