import { applyEnvironment, variableFor } from './environment.js';
import { loadToml, MINIMAL, problemsOf, removeFolders } from './testing/temporary-config.js';

afterEach(removeFolders);

const load = (env: Record<string, string>, more = '') =>
  loadToml(`${MINIMAL}\n${more}`, { env }).settings;

describe('the environment', () => {
  it.each<[string, string, (settings: ReturnType<typeof load>) => unknown, unknown]>([
    ['STORAGE_PROXY__STORAGE_PROXY__NUM_PROC', '2', (s) => s.storageProxy.numProc, 2],
    [
      'STORAGE_PROXY__STORAGE_PROXY__MAX_UPLOAD_SIZE',
      '1g',
      (s) => s.storageProxy.maxUploadSizeBytes,
      2 ** 30,
    ],
    [
      'STORAGE_PROXY__STORAGE_PROXY__VOLUME_STATS__CACHE_TTL',
      '"1m"',
      (s) => s.storageProxy.volumeStats.cacheTtlMs,
      60_000,
    ],
    [
      'STORAGE_PROXY__API__CLIENT__SERVICE_ADDR',
      '0.0.0.0:7021',
      (s) => s.api.client.serviceAddr,
      { host: '0.0.0.0', port: 7021 },
    ],
    [
      'STORAGE_PROXY__API__MANAGER__SECRET',
      '12345',
      (s) => s.credentials.managerSecrets.map(({ value }) => value),
      ['12345'],
    ],
    [
      'STORAGE_PROXY__API__MANAGER__SECRET',
      '"quoted"',
      (s) => s.credentials.managerSecrets.map(({ value }) => value),
      ['quoted'],
    ],
    [
      'STORAGE_PROXY__API__MANAGER__SECRET',
      'two words\nx = 1',
      (s) => s.credentials.managerSecrets.map(({ value }) => value),
      ['two words\nx = 1'],
    ],
    [
      'STORAGE_PROXY__SERVER__TRUSTED_PROXIES',
      '10.0.0.0/8',
      (s) => s.server.trustedProxies,
      ['10.0.0.0/8'],
    ],
    [
      'STORAGE_PROXY__SERVER__TRUSTED_PROXIES',
      '["::1", "loopback"]',
      (s) => s.server.trustedProxies,
      ['::1', 'loopback'],
    ],
    ['STORAGE_PROXY__SERVER__UMASK', '027', (s) => s.server.umask, '027'],
    ['STORAGE_PROXY__CLIENT_PLANE__DOCS', 'false', (s) => s.clientPlane.docs, false],
    ['STORAGE_PROXY__VOLUME__LOCAL__PATH', '/mnt/other', (s) => s.volumes[0]?.path, '/mnt/other'],
    [
      'STORAGE_PROXY__VOLUME__LOCAL__OPTIONS__SOME_KEY',
      '7',
      (s) => s.volumes[0]?.options,
      { some_key: 7 },
    ],
    [
      'STORAGE_PROXY__VOLUME__NEW_ONE',
      '{ backend = "vfs", path = "/n" }',
      (s) => s.volumes[1]?.name,
      'new_one',
    ],
    ['STORAGE_PROXY__LOGGING', '{ level = "ERROR" }', (s) => s.logging.level, 'ERROR'],
  ])('overrides with %s=%s', (variable, value, pick, expected) => {
    expect(pick(load({ [variable]: value }))).toEqual(expected);
  });

  it('finds keys and volumes that are spelled with hyphens, dots and capitals', () => {
    const more = '[volume."Lab-1.data"]\nbackend = "vfs"\npath = "/l"\n[uploads]\nlock_wait = "1s"';
    const settings = load(
      { STORAGE_PROXY__VOLUME__LAB_1_DATA__PATH: '/m', STORAGE_PROXY__UPLOADS__LOCK_WAIT: '2s' },
      more,
    );
    expect(settings.volumes[1]).toMatchObject({ name: 'Lab-1.data', path: '/m' });
    expect(settings.uploads.lockWaitMs).toBe(2_000);
  });

  it('lays single keys over whole tables', () => {
    const settings = load({
      STORAGE_PROXY__UPLOADS: '{ lock-wait = "1s", idle-timeout = "9s" }',
      STORAGE_PROXY__UPLOADS__LOCK_WAIT: '2s',
    });
    expect(settings.uploads).toMatchObject({ lockWaitMs: 2_000, idleTimeoutMs: 9_000 });
  });

  it("takes the original's variables, and its own rule first", () => {
    const tables = { etcd: { namespace: 'file' } };
    applyEnvironment(tables, {
      BACKEND_NAMESPACE: 'original',
      BACKEND_ETCD_ADDR: 'etcd:2379',
      STORAGE_PROXY__ETCD__NAMESPACE: 'ours',
    });
    expect(tables).toMatchObject({
      etcd: { namespace: { value: 'ours' }, addr: { value: 'etcd:2379' } },
    });
  });

  it.each([
    [
      { STORAGE_PROXY__UPLOADS__LOCK_WAIT: 'soon' },
      'uploads.lock-wait (from STORAGE_PROXY__UPLOADS__LOCK_WAIT) = "soon": must be a duration of at most 10m, in seconds or such as "90s", "5m", "24h", "7d"',
    ],
    [
      { STORAGE_PROXY__STORAGE_PROXY__NUMPROC: '2' },
      'storage-proxy.numproc (from STORAGE_PROXY__STORAGE_PROXY__NUMPROC): unknown key; did you mean storage-proxy.num-proc?',
    ],
    [
      { STORAGE_PROXY__SERVR__UMASK: '022' },
      'servr (from STORAGE_PROXY__SERVR__UMASK): unknown table; did you mean server?',
    ],
    [
      { BACKEND_ETCD_ADDR: 'nowhere' },
      'etcd.addr (from BACKEND_ETCD_ADDR) = "nowhere": must be an address',
    ],
    [
      { STORAGE_PROXY__: 'x' },
      'STORAGE_PROXY__: must be STORAGE_PROXY__SECTION__KEY, with a name in each part',
    ],
    [
      { STORAGE_PROXY__STORAGE_PROXY__SECRET__X: '1' },
      'STORAGE_PROXY__STORAGE_PROXY__SECRET__X: storage-proxy.secret is not a table',
    ],
    [{ STORAGE_PROXY__VOLUME: 'x' }, 'volume: must hold tables by name, [volume.<name>]'],
  ])('names the variable of a problem: %j', (env, problem) => {
    const problems = problemsOf(() => load(env));
    expect(problems.some((line) => line.startsWith(problem))).toBe(true);
  });

  it('refuses a variable that may mean two volumes', () => {
    const more =
      '[volume.a-b]\nbackend = "vfs"\npath = "/1"\n[volume.a_b]\nbackend = "vfs"\npath = "/2"';
    expect(problemsOf(() => load({ STORAGE_PROXY__VOLUME__A_B__PATH: '/3' }, more))).toEqual([
      'STORAGE_PROXY__VOLUME__A_B__PATH: may mean any of a-b, a_b in volume; rename one',
    ]);
  });

  it('leaves variables alone that only look similar, as Kubernetes makes for a service of that name', () => {
    expect(() =>
      load({ STORAGE_PROXY_PORT: 'tcp://1.2.3.4:1', STORAGE_PROXY_SERVICE_HOST: 'x' }),
    ).not.toThrow();
  });
});

describe('variableFor', () => {
  it('writes the rule', () => {
    expect(variableFor(['api', 'client', 'service-addr'])).toBe(
      'STORAGE_PROXY__API__CLIENT__SERVICE_ADDR',
    );
    expect(variableFor(['storage-proxy', 'num-proc'])).toBe(
      'STORAGE_PROXY__STORAGE_PROXY__NUM_PROC',
    );
  });
});
