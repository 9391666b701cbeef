import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { makeCertificate } from '../../../../test/support/certificate.js';
import { makeFileSystem } from '../../../../test/support/purity-simulator/array-state.js';
import {
  PuritySimulator,
  type Fault,
  type SimulatorOptions,
} from '../../../../test/support/purity-simulator/purity-simulator.js';
import { redact } from '../../../observability/redact.js';
import { parseApiVersion } from './api-version.js';
import { FlashBlade } from './flash-blade.js';
import { PurityClient, type PurityClientOptions } from './purity-client.js';
import { SharedClients } from './shared-clients.js';

describe('PurityClient', () => {
  let array: PuritySimulator;
  const clients: PurityClient[] = [];

  const optionsFor = (changes: Partial<PurityClientOptions> = {}): PurityClientOptions => ({
    endpoint: new URL(array.endpoint),
    apiToken: array.apiToken,
    version: null,
    verifyTls: true,
    timeoutMs: 5000,
    ...changes,
  });
  const connect = (changes: Partial<PurityClientOptions> = {}): PurityClient => {
    const client = new PurityClient(optionsFor(changes));
    clients.push(client);
    return client;
  };
  const start = async (options?: SimulatorOptions): Promise<void> => {
    await array?.stop();
    array = await PuritySimulator.start(options);
  };
  /** Inflicts a fault on the first `times` requests whose path ends so. */
  const faultFor = (suffix: string, fault: Fault, times = Infinity): void => {
    let left = times;
    array.fault = ({ url }) => (url.pathname.endsWith(suffix) && left-- > 0 ? fault : undefined);
  };
  const requestsOf = (suffix: string): number =>
    array.seen.filter(({ url }) => url.pathname.endsWith(suffix)).length;

  beforeEach(() => start());
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await array.stop();
  });

  describe('versions', () => {
    it.each<[string | null, readonly string[] | undefined, string]>([
      [null, undefined, '2.10'],
      [null, ['1.9', '1.8', '1.10', '1.8.1'], '1.10'],
      ['1.8', undefined, '1.8'],
      ['1.8.1', undefined, '1.8.1'],
      ['2.8', undefined, '2.8'],
    ])('with %j configured and %j offered speaks %s', async (configured, versions, spoken) => {
      await start(versions ? { versions } : {});
      const version = configured === null ? null : parseApiVersion(configured)!;
      const client = connect({ version });
      expect(await client.version()).toBe(spoken);
      await client.page('arrays');
      expect(requestsOf(`/api/${spoken}/arrays`)).toBe(1);
    });

    it('names both sides when there is none in common', async () => {
      await start({ versions: ['1.0', '1.2'] });
      await expect(connect().version()).rejects.toMatchObject({
        failure: 'refused',
        message: expect.stringMatching(/1\.0, 1\.2.*1\.8 to 2\.28/) as unknown,
      });
      await expect(connect({ version: [2, 4] }).version()).rejects.toThrow(
        'does not offer purity_api_version = "2.4" but 1.0, 1.2',
      );
    });

    it('asks again after a failure', async () => {
      const client = connect();
      faultFor('api_version', { kind: 'status', status: 404 }, 1);
      await expect(client.version()).rejects.toMatchObject({ status: 404 });
      expect(await client.version()).toBe('2.10');
    });
  });

  it.each([
    ['goes on with what is left when an upgrade ends the version', ['1.8', '2.0', '2.26'], '2.26'],
    ['goes on in the other family', ['1.12'], '1.12'],
  ])('%s', async (_, versions, spoken) => {
    const client = connect();
    await client.page('arrays');
    array.versions = versions;
    const both = await Promise.all([client.page('arrays'), client.page('hardware')]);
    expect(both.map(({ items }) => items.length)).toEqual([1, 2]);
    expect(await client.version()).toBe(spoken);
  });

  it('says so when an upgrade ends the version that is configured', async () => {
    const client = connect({ version: [1, 8] });
    await client.page('arrays');
    array.versions = ['2.0', '2.26'];
    await expect(client.page('arrays')).rejects.toThrow('does not offer purity_api_version');
  });

  describe.each(['1.12', '2.10'])('session in REST %s', (text) => {
    const version = parseApiVersion(text)!;

    it('logs in once for many calls, also when they come at once', async () => {
      const client = connect({ version });
      await Promise.all(Array.from({ length: 10 }, () => client.page('arrays')));
      await client.page('hardware');
      expect(array.logins).toBe(1);
    });

    it('logs in again, once, when the session has expired', async () => {
      const client = connect({ version });
      await client.page('arrays');
      array.expireSessions();
      await Promise.all(Array.from({ length: 5 }, () => client.page('arrays')));
      expect(array.logins).toBe(2);
    });

    it('gives up when the new session is refused too', async () => {
      const client = connect({ version });
      faultFor('/arrays', { kind: 'status', status: version[0] === 1 ? 403 : 401 });
      await expect(client.page('arrays')).rejects.toMatchObject({ failure: 'refused' });
      expect(array.logins).toBe(2);
    });

    it('does not log in again for what a new session was refused too', async () => {
      const client = connect({ version });
      const status = version[0] === 1 ? 403 : 401;
      array.fault = ({ url }) =>
        /alerts|hardware/.test(url.pathname) ? { kind: 'status', status } : undefined;
      for (let time = 0; time < 3; time++) {
        for (const resource of ['alerts', 'hardware']) {
          const refused = client.page(resource, { time });
          await expect(refused).rejects.toMatchObject({ failure: 'refused' });
        }
        await client.page('arrays');
      }
      // The first, and one for each.
      expect(array.logins).toBe(3);
      array.expireSessions();
      await client.page('arrays');
      expect(array.logins).toBe(4);
    });

    it('asks no more for a login that was refused a moment ago', async () => {
      const client = connect({ version, apiToken: 'T-revoked' });
      for (let time = 0; time < 3; time++) {
        await expect(client.page('arrays')).rejects.toMatchObject({ failure: 'token' });
      }
      expect(array.logins).toBe(1);
    });

    it('reads all pages, by the token and not by counts', async () => {
      array.state.blades = 25;
      array.maxPage = 10;
      const names: unknown[] = [];
      for await (const { name } of connect({ version }).items('blades')) names.push(name);
      expect(new Set(names).size).toBe(25);
      expect(requestsOf('/blades')).toBe(3);
    });
  });

  it('refuses a wrong token, saying which option it is', async () => {
    const client = connect({ apiToken: 'T-wrong-token-of-nobody' });
    await expect(client.page('arrays')).rejects.toMatchObject({
      failure: 'token',
      message: expect.stringContaining('purity_api_token') as unknown,
    });
    expect(array.logins).toBe(1);
  });

  it('says goodbye, and stays quiet when the array is gone', async () => {
    const client = connect();
    await client.page('arrays');
    expect(array.openSessions).toBe(1);
    await client.close();
    expect(array.openSessions).toBe(0);
    const other = connect();
    await other.page('arrays');
    await array.stop();
    await other.close();
  });

  it('makes token and session unprintable', async () => {
    await connect().page('arrays');
    expect(redact(`login ${array.apiToken} gave session-1-of-the-simulated-array`)).toBe(
      'login [redacted] gave [redacted]',
    );
  });

  it.each<[string, Fault]>([
    ['a dropped connection', { kind: 'drop' }],
    ['a cut answer', { kind: 'cut' }],
    ['429', { kind: 'status', status: 429, headers: { 'retry-after': '0' } }],
    ['503', { kind: 'status', status: 503 }],
    ['500', { kind: 'status', status: 500, body: '<html>' }],
  ])('gets over %s', async (_, fault) => {
    faultFor('/arrays', fault, 2);
    expect((await connect().page('arrays')).items).toHaveLength(1);
    expect(requestsOf('/arrays')).toBe(3);
  });

  it.each<[string, Fault]>([
    ['hangs', { kind: 'hang' }],
    ['answers a byte now and then', { kind: 'drip' }],
  ])('does not wait for an array that %s', async (_, fault) => {
    const client = connect({ timeoutMs: 100 });
    await client.version();
    faultFor('/arrays', fault);
    await expect(client.page('arrays')).rejects.toMatchObject({
      failure: 'unreachable',
      message: expect.stringContaining('did not answer within 0.1 s') as unknown,
    });
  });

  it.each<[string, string, RegExp]>([
    ['no JSON', '<html>Not an array</html>', /something other than JSON/],
    ['a list', '[]', /something other than JSON/],
  ])('does not take %s for an answer', async (_, body, message) => {
    faultFor('/arrays', { kind: 'status', status: 200, body });
    await expect(connect().page('arrays')).rejects.toThrow(message);
  });

  it('says that nobody listens', async () => {
    const client = connect();
    await array.stop();
    await expect(client.page('arrays')).rejects.toMatchObject({
      failure: 'unreachable',
      message: expect.stringContaining('ECONNREFUSED') as unknown,
    });
  });

  describe('TLS', () => {
    let directory: string;
    let certificate: { cert: string; key: string };

    beforeAll(() => {
      directory = fs.mkdtempSync(path.join(os.tmpdir(), 'purity-'));
      const files = makeCertificate(directory, 'array');
      certificate = {
        cert: fs.readFileSync(files.cert, 'utf8'),
        key: fs.readFileSync(files.key, 'utf8'),
      };
    });
    afterAll(() => fs.rmSync(directory, { recursive: true }));
    beforeEach(() => start({ tls: certificate }));

    it('does not talk to an array whose certificate is not trusted', async () => {
      await expect(connect().page('arrays')).rejects.toMatchObject({
        failure: 'certificate',
        message: expect.stringMatching(/purity_ca_file.*purity_ssl_verify/) as unknown,
      });
      expect(array.seen).toEqual([]);
    });

    it('trusts the authority it is given', async () => {
      const { items } = await connect({ ca: certificate.cert }).page('arrays');
      expect(items).toHaveLength(1);
    });

    it('refuses a certificate of another host', async () => {
      const endpoint = new URL(array.endpoint.replace('localhost', '127.0.0.1'));
      const client = connect({ ca: certificate.cert, endpoint });
      await expect(client.page('arrays')).rejects.toThrow('ERR_TLS_CERT_ALTNAME_INVALID');
    });

    it('verifies nothing when it is told so', async () => {
      expect((await connect({ verifyTls: false }).page('arrays')).items).toHaveLength(1);
    });
  });

  it('is shared by volumes of the same array, until the last one lets go', async () => {
    const shared = new SharedClients();
    const [one, two] = [shared.lease(optionsFor()), shared.lease(optionsFor())];
    const other = shared.lease(optionsFor({ version: [1, 8] }));
    expect(one.client).toBe(two.client);
    expect(other.client).not.toBe(one.client);
    await one.client.page('arrays');
    await one.release();
    await one.release();
    expect(array.openSessions).toBe(1);
    await two.release();
    expect(array.openSessions).toBe(0);
    await other.release();
    expect(shared.lease(optionsFor()).client).not.toBe(one.client);
  });

  describe.each(['1.8', '2.10'])('array facts in REST %s', (text) => {
    const blade = (): FlashBlade => new FlashBlade(connect({ version: parseApiVersion(text)! }));

    it('tells who it is', async () => {
      expect(await blade().identity()).toEqual(array.state.identity);
      expect(await blade().bladeCount()).toBe(7);
    });

    it('tells of a file system', async () => {
      expect(await blade().fileSystem('vfolders')).toEqual({
        name: 'vfolders',
        provisionedBytes: 100 * 2 ** 30,
        hasHardLimit: true,
        virtualBytes: 30 * 2 ** 30,
        hasFastRemove: false,
      });
    });

    it('knows unlimited file systems, and members that are null', async () => {
      const [fileSystem] = array.state.fileSystems;
      fileSystem!.provisioned = null;
      fileSystem!.space = { virtual: null };
      expect(await blade().fileSystem('vfolders')).toMatchObject({
        provisionedBytes: null,
        hasHardLimit: false,
        virtualBytes: null,
      });
    });

    it('does not find what is missing or destroyed', async () => {
      array.state.fileSystems.push({ ...makeFileSystem('gone'), destroyed: true });
      expect(await blade().fileSystem('gone')).toBeUndefined();
      expect(await blade().fileSystem('never')).toBeUndefined();
    });

    it('takes no other failure for a missing file system', async () => {
      array.fault = ({ url }) =>
        url.searchParams.has('names') ? { kind: 'status', status: 400 } : undefined;
      expect(await blade().fileSystem('vfolders')).toMatchObject({ name: 'vfolders' });
      faultFor('/file-systems', { kind: 'status', status: 400 });
      await expect(blade().fileSystem('vfolders')).rejects.toMatchObject({ status: 400 });
    });

    it('takes no figures of another file system for those of this one', async () => {
      const items = [{ name: 'other', reads_per_sec: 99 }];
      const body = JSON.stringify({ items, total: [{ name: null, reads_per_sec: 99 }] });
      faultFor('/performance', { kind: 'status', status: 200, body });
      expect(await blade().nfsPerformance('vfolders')).toBeUndefined();
    });

    it('measures NFS, anew each time', async () => {
      const [fileSystem] = array.state.fileSystems;
      const measured = blade();
      expect(await measured.nfsPerformance('vfolders')).toEqual({
        readsPerSec: 120.5,
        writesPerSec: 60.25,
        readBytesPerSec: 1_048_576,
        writeBytesPerSec: 524_288,
        usecPerRead: 250.5,
        usecPerWrite: 900,
      });
      fileSystem!.performance['reads_per_sec'] = 7;
      fileSystem!.performance['usec_per_read_op'] = null;
      expect(await measured.nfsPerformance('vfolders')).toMatchObject({
        readsPerSec: 7,
        usecPerRead: 0,
      });
    });

    it('tells capacity and what is used', async () => {
      expect(await blade().space()).toEqual({
        capacityBytes: 500 * 2 ** 40,
        usedBytes: 100 * 2 ** 40,
      });
    });

    it('reports open alerts and hardware that is not well', async () => {
      array.state.alerts = [
        { severity: 'critical', state: 'open', component: 'CH1.FB3', summary: 'blade failed' },
        { severity: 'warning', state: 'closed', component: 'CH1', summary: 'was warm' },
        { severity: 'info', state: 'open', component: 'CH1', summary: 'hello' },
      ];
      array.state.hardware.push({
        name: 'CH1.PWR1',
        type: 'pwr',
        status: 'unhealthy',
        details: 'no input',
      });
      expect(await blade().troubles()).toEqual([
        { severity: 'critical', text: 'alert: CH1.FB3: blade failed' },
        { severity: 'warning', text: 'hardware: CH1.PWR1 is unhealthy (no input)' },
      ]);
    });
  });
});
