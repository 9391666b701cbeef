import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { fieldsOf, Setting } from '../grammar/section/setting.js';
import { text } from '../grammar/section/value-type.js';
import { ConfigError } from './config-error.js';
import { buildSettings, checkConfig, loadSettings } from './load-settings.js';
import { pinoLevel } from './log-level.js';
import { Settings } from './settings.js';
import {
  loadToml,
  makeFolder,
  MINIMAL,
  problemsOf,
  removeFolders,
} from './testing/temporary-config.js';

const FIXTURES = join(__dirname, 'testing');
const minimalWith = (more: string) => `${MINIMAL}\n${more}`;

afterEach(removeFolders);

class NoOptions {}
class PickyOptions {
  @Setting('endpoint', 'Where.', text(), { required: true })
  readonly endpoint!: string;
}
const BACKENDS = [
  { name: 'vfs', options: NoOptions },
  { name: 'picky', options: PickyOptions },
];

describe('existing files', () => {
  it('starts from one of the 22.03 generation', () => {
    const file = join(FIXTURES, 'legacy-22.03.toml');
    const { settings, warnings, source } = loadSettings({ argvPath: file, env: {}, cwd: '/' });
    expect(source).toBe(file);
    expect(settings).toMatchObject({
      storageProxy: {
        nodeId: 'i-storage-proxy-legacy',
        numProc: 2,
        pidFile: join(FIXTURES, 'storage-proxy.pid'),
        scandirLimit: 500,
        maxUploadSizeBytes: 50 * 2 ** 30,
        sessionExpireMs: 86_400_000,
        user: 1000,
        allowAutoQuotaScopeCreation: true,
        volumeStats: { observeIntervalMs: 10_000, observeTimeoutMs: 5_000, cacheTtlMs: 30_000 },
      },
      api: {
        client: { serviceAddr: { host: '0.0.0.0', port: 6021 }, sslEnabled: false },
        manager: { internalAddr: { host: '127.0.0.1', port: 16023 } },
      },
      volumes: [
        { name: 'nas', path: '/mnt/nas', fsprefix: '.', options: {} },
        { name: 'archive', path: join(FIXTURES, 'volumes/archive'), fsprefix: 'exports/archive' },
      ],
      credentials: {
        managerSecrets: [{ label: 'api.manager.secret', value: 'legacy-manager-secret' }],
        jwtKeys: ['legacy-token-secret'],
      },
      logging: { level: 'WARNING', console: { colored: true } },
    });
    expect(warnings).toContain(
      'accepted, without effect here: storage-proxy.event-loop, storage-proxy.aiomonitor-port, logging.pkg-ns, logging.console.format',
    );
  });

  it('starts from one of the 26.x generation, and says what is not served', () => {
    const file = join(FIXTURES, 'current-26.toml');
    const { settings, warnings } = loadSettings({
      argvPath: file,
      env: {},
      cwd: '/',
      strict: true,
    });
    expect(settings).toMatchObject({
      storageProxy: {
        nodeId: 'i-storage-proxy-01',
        maxUploadSizeBytes: 1.5 * 2 ** 40,
        sessionExpireMs: 7_200_000,
        user: 'backend-ai',
        allowAutoQuotaScopeCreation: false,
        volumeStats: { observeTimeoutMs: 2_500 },
      },
      api: {
        manager: {
          serviceAddr: { host: '127.0.0.1', port: 6022 },
          internalAddr: { host: '', port: 16023 },
        },
      },
      server: { trustedProxies: ['10.0.0.0/8'], shutdownTimeoutMs: 300_000 },
      managerPlane: { docs: false, basePath: '/storage' },
      clientPlane: { docs: true, basePath: '' },
    });
    expect(settings.volumes.map(({ name }) => name)).toEqual(['volume1', 'lab.data', 'flash']);
    expect(settings.etcd).toMatchObject({
      namespace: 'local',
      addresses: [
        { host: '10.0.0.11', port: 2379 },
        { host: '10.0.0.12', port: 2379 },
      ],
      user: 'storage',
    });
    expect(settings).not.toHaveProperty('artifactStorages');
    const notServed = warnings.filter((line) => line.includes('not served'));
    expect(notServed).toEqual([
      'logging.file: accepted, but not served: logs go to standard output only; collect them from there',
      'artifact-storages: accepted, but not served: this proxy has no artifact endpoints (/v1)',
      'artifact-registries: accepted, but not served: this proxy has no artifact endpoints (/v1)',
      'storages: accepted, but not served: this proxy has no artifact endpoints (/v1)',
    ]);
    expect(pinoLevel(settings)).toBe('debug');
  });
});

describe('a wrong value', () => {
  it.each([
    [
      '[storage-proxy.volume-stats]\ncache-ttl = 0',
      'storage-proxy.volume-stats.cache-ttl = 0: must be a duration of at least 1s, in seconds or such as "90s", "5m", "24h", "7d"',
    ],
    [
      '[api.client]\nservice-addr = "localhost"',
      'api.client.service-addr = "localhost": must be an address: "host:port", "[ipv6]:port", { host = "…", port = … } or ["host", port], the port from 0 to 65535',
    ],
    [
      '[api.client]\nssl-enabled = "maybe"',
      'api.client.ssl-enabled = "maybe": must be true or false',
    ],
    [
      '[api.client]\nssl-enabled = true\nssl-cert = "no.pem"',
      'api.client.ssl-privkey: missing; api.client.ssl-enabled = true needs a PEM file here',
    ],
    ['[api]\nclient = 5', 'api.client = 5: must be a table'],
    [
      '[logging]\nlevel = "LOUD"',
      'logging.level = "LOUD": must be one of "NOTSET", "TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"',
    ],
    [
      '[logging]\ndrivers = ["console", "tape"]',
      'logging.drivers = ["console","tape"]: must be a list of which each element is one of "console", "file", "logstash", "graylog"',
    ],
    [
      '[server]\numask = 22',
      'server.umask = 22: must be three octal digits in quotes, such as "022"',
    ],
    [
      '[server]\ntrusted-proxies = ["10.0.0.0/33"]',
      'server.trusted-proxies = ["10.0.0.0/33"]: must be a list of which each element is an IP address, a network such as "10.0.0.0/8", or one of "loopback", "linklocal", "uniquelocal"',
    ],
    [
      '[server]\nthread-pool-size = 1.5',
      'server.thread-pool-size = 1.5: must be a whole number from 4 to 1024',
    ],
    [
      '[client-plane]\nbase-path = "storage"',
      'client-plane.base-path = "storage": must be a URL path such as "/" or "/storage"',
    ],
    ['[limits]\nvolume-share = 0', 'limits.volume-share = 0: must be a number above 0 and up to 1'],
    [
      '[limits]\njson-body-size = "1x"',
      'limits.json-body-size = "1x": must be a size from 1k to 1g, in bytes or such as "512k", "1.5 GiB", "100g"',
    ],
    [
      '[uploads]\nlock-wait = -1',
      'uploads.lock-wait = -1: must be a duration of at most 10m, in seconds or such as "90s", "5m", "24h", "7d"',
    ],
    [
      '[health]\nprobe-timeout = "1m"',
      'health.probe-timeout: must not be longer than health.probe-interval',
    ],
    [
      '[api.client]\nservice-addr = "127.0.0.1:6022"',
      'api.manager.service-addr = "127.0.0.1:6022": must differ from api.client.service-addr',
    ],
    [
      '[volume.noop]\nbackend = "vfs"\npath = "/x"',
      'volume.noop: must have another name; "noop" is built in',
    ],
    [
      '[volume."a:b"]\nbackend = "vfs"\npath = "/x"',
      'volume."a:b": must have a name without blanks, "/", ":" and control characters',
    ],
    ['[volume.x]\nbackend = "vfs"', 'volume.x.path: missing; it must be a path'],
    [
      '[volume.x]\nbackend = "vfs"\npath = "/x"\nfsprefix = "/y"',
      'volume.x.fsprefix = "/y": must be a relative path',
    ],
    [
      '[secrets]\njwt-key-files = ["/nowhere/key"]',
      'secrets.jwt-key-files: cannot read /nowhere/key: ENOENT: no such file or directory',
    ],
  ])('stops start-up: %s', (toml, problem) => {
    expect(problemsOf(() => loadToml(minimalWith(toml)))).toContain(problem);
  });

  it('names every problem at once', () => {
    const toml =
      '[storage-proxy]\nnum-proc = 0\nscandir-limit = "many"\nuser = -1\nsecret = "s"\n[volume]\nx = 1\n';
    expect(problemsOf(() => loadToml(toml))).toEqual([
      'storage-proxy.node-id: missing; it must be text that is not empty',
      'storage-proxy.session-expire: missing; it must be a duration of at least 1s, in seconds or such as "90s", "5m", "24h", "7d"',
      'storage-proxy.num-proc = 0: must be a whole number from 1 to 256',
      'storage-proxy.scandir-limit = "many": must be a whole number of at least 0',
      'storage-proxy.user = -1: must be a whole number of at least 0, or text that is not empty',
      'volume.x = 1: must be a table',
      'volume.x.backend: missing; it must be text that is not empty',
      'volume.x.path: missing; it must be a path',
    ]);
  });

  it('never shows a secret', () => {
    const problems = problemsOf(() =>
      loadToml('[storage-proxy]\nsecret = 4242424242\n[secrets]\njwt-keys = ["hidden-key", 7]\n'),
    );
    expect(problems).toContain('storage-proxy.secret = (secret): must be text that is not empty');
    expect(problems.join()).not.toMatch(/4242|hidden/);
    expect(problemsOf(() => loadToml('secrets = "hidden"'))).toContain(
      'secrets = (secret): must be a table',
    );
  });

  it('wants a manager secret and a token key from somewhere', () => {
    const toml = '[storage-proxy]\nnode-id = "n"\nsession-expire = 60\n';
    expect(problemsOf(() => loadToml(toml))).toEqual([
      'api.manager.secret: missing; set it, or secrets.manager-secrets, or secrets.manager-secret-files',
      'storage-proxy.secret: missing; set it, or secrets.jwt-keys, or secrets.jwt-key-files',
    ]);
  });
});

describe('whatever stands in the file', () => {
  const tables = new Map(fieldsOf(Settings).map(({ key, ...field }) => [key, field]));
  const value = fc.oneof(
    { maxDepth: 2 },
    fc.jsonValue({ maxDepth: 2 }),
    fc.date(),
    fc.constantFrom('1d', '10k', 'a:1', 'true', '', '/x'),
  );
  /** Mostly keys that exist, since others are found out at once. */
  const table = (key: string) => {
    const field = tables.get(key);
    const keys = field?.kind === 'table' ? fieldsOf(field.section).map(({ key }) => key) : ['x'];
    return fc.oneof(fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), value), value);
  };
  const file = fc.record(Object.fromEntries([...tables.keys()].map((key) => [key, table(key)])), {
    requiredKeys: [],
  });

  it('is read, or refused line by line', () => {
    fc.assert(
      fc.property(file, (content) => {
        try {
          buildSettings(content, '/', { env: {}, backends: BACKENDS });
        } catch (error) {
          expect(error).toBeInstanceOf(ConfigError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('an unknown key', () => {
  const OURS = '[uploads]\nlock-wiat = "1s"';
  const THEIRS = '[api.client]\nssl-enable = true';

  it('is an error in our own tables, with the key that was probably meant', () => {
    expect(problemsOf(() => loadToml(minimalWith(OURS)))).toEqual([
      'uploads.lock-wiat: unknown key; did you mean uploads.lock-wait?',
    ]);
  });

  it("warns in the original's tables, and is an error when strict", () => {
    const line = 'api.client.ssl-enable: unknown key; did you mean api.client.ssl-enabled?';
    expect(loadToml(minimalWith(THEIRS)).warnings).toContain(line);
    expect(problemsOf(() => loadToml(minimalWith(THEIRS), { strict: true }))).toContain(line);
  });

  it('names what is known when nothing is near', () => {
    expect(problemsOf(() => loadToml(minimalWith('[downloads]\ncolour = "red"')))).toEqual([
      'downloads.colour: unknown key; known here: idle-timeout, compression-level',
    ]);
  });

  it('is found among the tables too', () => {
    expect(loadToml(minimalWith('[upload]\nlock-wait = 1')).warnings).toContain(
      'upload: unknown table; did you mean uploads?',
    );
  });

  it('may not be a known key in its other spelling as well', () => {
    const toml = '[downloads]\nidle-timeout = 1\nidle_timeout = 1';
    expect(problemsOf(() => loadToml(minimalWith(toml)))).toEqual([
      'downloads.idle-timeout: given twice, with "-" and with "_"',
    ]);
  });
});

describe('backends', () => {
  it.each([
    [
      'backend = "vsf"',
      'volume.x.backend = "vsf": must be one of "vfs", "picky"; did you mean "vfs"?',
    ],
    [
      'backend = "weka"',
      `volume.x.backend = "weka": must be one of "vfs", "picky"; this proxy does not have that vendor's backend, but backend = "vfs" serves its mounted filesystem`,
    ],
    ['backend = "picky"', 'volume.x.options.endpoint: missing; it must be text that is not empty'],
    ['backend = "picky"\noptions = "none"', 'volume.x.options = "none": must be a table'],
  ])('are checked against those that exist: %s', (line, problem) => {
    const toml = minimalWith(`[volume.x]\npath = "/x"\n${line}`);
    expect(problemsOf(() => loadToml(toml, { backends: BACKENDS }))).toContain(problem);
  });

  it('warn of options that they do not know', () => {
    const toml = minimalWith('[volume.x]\npath = "/x"\nbackend = "vfs"\noptions = { a = 1 }');
    expect(loadToml(toml, { backends: BACKENDS }).warnings).toContain(
      'volume.x.options.a: unknown key; known here: none',
    );
  });
});

describe('the file', () => {
  it('is named with line and column when it is not TOML, without quoting it', () => {
    const folder = makeFolder();
    const [problem] = problemsOf(() => loadToml('[storage-proxy]\nsecret = "hidden\n', { folder }));
    expect(problem).toMatch(/storage-proxy\.toml:2:\d+: not valid TOML: /);
    expect(problem).not.toContain('hidden');
    expect(problem).not.toContain('\n');
  });

  it('cannot be a folder', () => {
    const folder = makeFolder();
    expect(problemsOf(() => loadSettings({ argvPath: folder, env: {}, cwd: '/' }))).toEqual([
      `cannot read ${folder}: EISDIR: illegal operation on a directory`,
    ]);
  });

  it('should not show its secrets to everybody', () => {
    const folder = makeFolder();
    const { source } = loadToml(MINIMAL, { folder });
    chmodSync(source, 0o644);
    const { warnings } = loadSettings({ argvPath: source, env: {}, cwd: '/' });
    expect(warnings).toContain(`${source} holds secrets and can be read by everybody; chmod 600`);
  });
});

describe('secrets', () => {
  it('come from the file, from lists and from files, without repeats; the first token key signs', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'key'), 'key-from-file\n', { mode: 0o600 });
    writeFileSync(join(folder, 'next'), 'new\n', { mode: 0o600 });
    const toml = minimalWith(
      '[secrets]\nmanager-secrets = ["old", "manager-secret"]\nmanager-secret-files = ["next"]\njwt-keys = "older"\njwt-key-files = ["key"]\n',
    );
    const { settings, warnings } = loadToml(toml, { folder });
    expect(settings.credentials).toMatchObject({
      managerSecrets: [
        { label: 'api.manager.secret', value: 'manager-secret' },
        { label: 'secrets.manager-secrets#1', value: 'old' },
        { label: 'next', value: 'new' },
      ],
      jwtKeys: ['token-secret', 'older', 'key-from-file'],
    });
    expect(warnings).toEqual([]);
  });

  it('warn when others can read their file, and refuse an empty one', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'open'), 'secret', { mode: 0o644 });
    writeFileSync(join(folder, 'empty'), '\n', { mode: 0o600 });
    const { warnings } = loadToml(minimalWith('[secrets]\njwt-key-files = "open"'), { folder });
    expect(warnings).toEqual([
      `secrets.jwt-key-files: ${folder}/open can be read by others than its owner; chmod 600`,
    ]);
    const toml = minimalWith('[secrets]\nmanager-secret-files = "empty"');
    expect(problemsOf(() => loadToml(toml, { folder }))).toEqual([
      `secrets.manager-secret-files: ${folder}/empty is empty`,
    ]);
  });
});

describe('where the file is looked for', () => {
  const write = (folder: string) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'storage-proxy.toml'), MINIMAL, { mode: 0o600 });
    return join(folder, 'storage-proxy.toml');
  };

  it('goes from the command line over the environment to the standard places', () => {
    const home = makeFolder();
    const cwd = join(home, 'checkout', 'src', 'here');
    mkdirSync(cwd, { recursive: true });
    writeFileSync(join(home, 'checkout', 'BUILD_ROOT'), '');
    const inHome = write(join(home, '.config/backend.ai'));
    expect(loadSettings({ env: { HOME: home }, cwd }).source).toBe(inHome);
    const inCheckout = write(join(home, 'checkout'));
    expect(loadSettings({ env: { HOME: home }, cwd }).source).toBe(inCheckout);
    const inCwd = write(cwd);
    expect(loadSettings({ env: { HOME: home }, cwd }).source).toBe(inCwd);
    const named = write(join(home, 'named'));
    const env = { HOME: home, BACKEND_CONFIG_FILE: named };
    expect(loadSettings({ env, cwd }).source).toBe(named);
    expect(loadSettings({ argvPath: 'storage-proxy.toml', env, cwd }).source).toBe(inCwd);
  });

  it('is told when there is none', () => {
    const cwd = makeFolder();
    expect(problemsOf(() => loadSettings({ env: { HOME: '/home/nobody' }, cwd }))).toEqual([
      `no configuration file: looked for ${cwd}/storage-proxy.toml, /home/nobody/.config/backend.ai/storage-proxy.toml, /etc/backend.ai/storage-proxy.toml; name one with -f FILE or BACKEND_CONFIG_FILE`,
    ]);
    const env = { BACKEND_CONFIG_FILE: 'gone.toml' };
    write(cwd);
    expect(problemsOf(() => loadSettings({ env, cwd }))).toEqual([
      `no configuration file: ${cwd}/gone.toml, named by BACKEND_CONFIG_FILE, does not exist; nowhere else was looked`,
    ]);
  });
});

describe('checkConfig', () => {
  it('is strict, and returns problems instead of throwing', () => {
    const folder = makeFolder();
    const { source } = loadToml(minimalWith('[debug]\nenable = true'), { folder });
    expect(checkConfig({ argvPath: source, env: {}, cwd: '/' })).toMatchObject({
      problems: ['debug.enable: unknown key; did you mean debug.enabled?'],
      source,
    });
    expect(checkConfig({ argvPath: 'gone', env: {}, cwd: '/' }).problems).toHaveLength(1);
    writeFileSync(source, MINIMAL);
    expect(checkConfig({ argvPath: source, env: {}, cwd: '/' }).problems).toEqual([]);
  });
});

describe('flags', () => {
  it('win over file and environment', () => {
    const env = { STORAGE_PROXY__LOGGING__LEVEL: 'ERROR' };
    const toml = minimalWith('[logging]\nlevel = "INFO"');
    expect(loadToml(toml, { env }).settings.logging.level).toBe('ERROR');
    const flags = { logLevel: 'trace', debug: true };
    const { settings } = loadToml(toml, { env, flags });
    expect(settings.logging.level).toBe('TRACE');
    expect(settings.debug.enabled).toBe(true);
  });

  it('are named when they are wrong', () => {
    const flags = { logLevel: 'loud' };
    expect(problemsOf(() => loadToml(MINIMAL, { flags }))[0]).toMatch(
      /^logging\.level \(from --log-level\) = "loud": must be one of /,
    );
  });
});
