import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import type * as errorModule from '../../src/config/config-error.js';
import type * as loadModule from '../../src/config/load-settings.js';
import { built } from '../support/built.js';
import { AUTH_HEADER } from '../support/manager-client.js';
import { Proxy, type TestFolder } from '../support/proxy.js';

const SEED = Number(process.env['STORAGE_PROXY_TEST_SEED'] ?? 20_261_122);
const RUNS = { seed: SEED, numRuns: 200 };
/** Longer than anything here has reason to take; shorter than a hang. */
const HANG_MS = 20_000;
const SIZE = 1000;

/** Any byte that HTTP lets stand in a header, and some that it does not. */
const bytes = fc
  .uint8Array({ maxLength: 60 })
  .map((array) => Buffer.from(array).toString('latin1'));
const number = fc.oneof(
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc.constantFrom('', '0', '-0', '+1', '1e3', '0x10', '9007199254740993', '1,1', ' 5', 'NaN'),
  bytes,
);
const range = fc.oneof(
  fc.tuple(number, number).map(([from, to]) => `bytes=${from}-${to}`),
  fc
    .array(fc.tuple(fc.nat(2 * SIZE), fc.nat(2 * SIZE)), { maxLength: 50 })
    .map((parts) => `bytes=${parts.map(([from, to]) => `${from}-${to}`).join(',')}`),
  bytes,
);
/** Components with every odd byte, code units that are no characters, and what means something to a filesystem. */
const component = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom(
    '..',
    '.',
    '',
    '.upload',
    '.trash',
    '\0',
    '\udc80\udcff',
    '\ud800',
    '\n',
    '\\',
    '~',
  ),
  fc.integer({ min: 250, max: 300 }).map((length) => 'x'.repeat(length)),
);
const path = fc.array(component, { maxLength: 6 }).map((parts) => parts.join('/'));

describe('a running proxy', () => {
  let proxy: Proxy;
  let folder: TestFolder;
  let download: string;
  let upload: string;

  beforeAll(async () => {
    proxy = await Proxy.start({}, { config: { limits: { 'auth-failures': 1_000_000 } } });
    folder = await proxy.createFolder('scoped');
    writeFileSync(join(folder.path, 'file'), Buffer.alloc(SIZE));
    download = await proxy.downloadToken(folder, 'file');
    upload = await proxy.uploadToken(folder, 'new', SIZE);
  });
  afterAll(() => proxy.stop());
  afterEach(() => {
    const failures = proxy.output
      .split('\n')
      .filter((line) =>
        /"status":5(?!03|07)\d\d|Worker ended unexpectedly|"level":"fatal"/.test(line),
      );
    expect(failures).toEqual([]);
  });

  /** Sends a request as it is, and returns the status of the answer; 0 when the connection was closed without one. */
  async function status(origin: string, head: string, body = ''): Promise<number> {
    const { hostname, port } = new URL(origin);
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    socket.setTimeout(HANG_MS, () => socket.destroy(new Error('hangs')));
    let answer = '';
    socket.on('data', (chunk: Buffer) => (answer += chunk.toString('latin1')));
    const failed = once(socket, 'error').then(([error]) => error as Error);
    socket.write(`${head}\r\nHost: a\r\nConnection: close\r\n`, 'latin1');
    socket.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
    const closed = once(socket, 'close');
    const outcome = await Promise.race([closed, failed]).catch(() => undefined);
    if (outcome instanceof Error && outcome.message === 'hangs') throw outcome;
    return Number(/^HTTP\/1\.1 (?!100)(\d{3}) /m.exec(answer)?.[1] ?? 0);
  }

  const expectMeant = (code: number): void => {
    if (code >= 500 && code !== 503 && code !== 507) throw new Error(`answered ${code}`);
  };

  it('survives tokens of every kind', async () => {
    const changed = fc
      .tuple(fc.nat(download.length - 1), fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }))
      .map(([at, character]) => `${download.slice(0, at)}${character}${download.slice(at + 1)}`);
    const claims = fc
      .dictionary(
        fc.constantFrom(
          'op',
          'operation',
          'volume',
          'vfid',
          'relpath',
          'size',
          'session',
          'exp',
          'files',
        ),
        fc.oneof(fc.constantFrom('download', 'upload', 'local', 4e9, -1, 2 ** 60), fc.jsonValue()),
      )
      .map((payload) => proxy.sign(payload));
    const where = fc.constantFrom(
      'GET /download',
      'HEAD /upload',
      'GET /download-archive',
      'PATCH /upload',
    );
    const token = fc.oneof(changed, claims, bytes);
    await fc.assert(
      fc.asyncProperty(where, token, async (line, text) => {
        expectMeant(
          await status(
            proxy.clientOrigin,
            `${line}?token=${encodeURIComponent(wellFormed(text))} HTTP/1.1`,
          ),
        );
      }),
      RUNS,
    );
  });

  /** Headers with one kind of values, and the lines of a request before them. */
  interface Headers {
    readonly what: string;
    readonly names: readonly string[];
    readonly values: fc.Arbitrary<string>;
    readonly line: () => fc.Arbitrary<string>;
  }
  const headers: readonly Headers[] = [
    {
      what: 'offsets and other headers of uploads',
      names: [
        'Upload-Offset',
        'Upload-Length',
        'Tus-Resumable',
        'Content-Type',
        'Upload-Metadata',
        'X-HTTP-Method-Override',
        'Expect',
        'Transfer-Encoding',
        'Content-Length',
      ],
      values: number,
      line: () =>
        fc
          .constantFrom('PATCH', 'POST', 'HEAD')
          .map((method) => `${method} /upload?token=${upload} HTTP/1.1`),
    },
    {
      what: 'ranges and preconditions',
      names: [
        'Range',
        'If-Range',
        'If-Match',
        'If-None-Match',
        'If-Modified-Since',
        'If-Unmodified-Since',
      ],
      values: range,
      line: () =>
        range.map((asked) => `GET /download?token=${download} HTTP/1.1\r\nRange: ${asked}`),
    },
  ];
  it.each(headers)('survives $what', async ({ names, values, line }) => {
    await fc.assert(
      fc.asyncProperty(line(), fc.constantFrom(...names), values, async (before, name, value) =>
        expectMeant(await status(proxy.clientOrigin, `${before}\r\n${name}: ${value}`)),
      ),
      RUNS,
    );
  });

  it('survives paths with every odd byte, and keeps them inside', async () => {
    const operation = fc.constantFrom(
      'list',
      'mkdir',
      'fetch',
      'rename',
      'move',
      'delete',
      'download',
      'upload',
      'archive-download-token',
    );
    await fc.assert(
      fc.asyncProperty(operation, path, path, async (name, first, second) => {
        const archive = { volume: 'local', virtual_folder_id: folder.vfid, files: [first, second] };
        const others = { ...folder.ref, ...parametersOf(name, first, second) };
        const body = JSON.stringify(name === 'archive-download-token' ? archive : others);
        const head = `POST /folder/file/${name} HTTP/1.1\r\n${AUTH_HEADER}: ${proxy.secret}`;
        expectMeant(await status(proxy.manager.origin, head, body));
      }),
      RUNS,
    );
  });

  it('survives what is no HTTP', async () => {
    const garbage = fc.array(fc.oneof(bytes, fc.constantFrom('\r\n', 'GET / HTTP/1.1', ' ', ':')), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(garbage, async (parts) =>
        expectMeant(await status(proxy.clientOrigin, parts.join(''))),
      ),
      RUNS,
    );
  });
});

it('a configuration of any kind is taken or refused, with reasons', async () => {
  const { buildSettings } = await built<typeof loadModule>('config/load-settings.js');
  const { ConfigError } = await built<typeof errorModule>('config/config-error.js');
  const { Settings } =
    await built<typeof import('../../src/config/settings.js')>('config/settings.js');
  const { fieldsOf } = await built<typeof import('../../src/grammar/section/setting.js')>(
    'grammar/section/setting.js',
  );
  const tables = fieldsOf(Settings).map(({ key }) => key);
  const keys = fieldsOf(Settings).flatMap((field) =>
    field.kind === 'value' ? [] : fieldsOf(field.section).map(({ key }) => key),
  );
  const name = fc.oneof(fc.constantFrom(...keys), fc.string({ maxLength: 8 }));
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.constantFrom('1s', '10g', -1, 2 ** 53, ''),
  );
  const section = fc.oneof(fc.dictionary(name, value), value);
  const file = fc.dictionary(
    fc.oneof(fc.constantFrom(...tables), fc.string({ maxLength: 8 })),
    section,
  );
  fc.assert(
    fc.property(file, (given) => {
      try {
        buildSettings(JSON.parse(JSON.stringify(given)) as Record<string, unknown>, '/', {
          env: {},
        });
      } catch (error) {
        expect(error).toBeInstanceOf(ConfigError);
      }
    }),
    { seed: SEED, numRuns: 1000 },
  );
});

function parametersOf(operation: string, first: string, second: string): object {
  switch (operation) {
    case 'move':
      return { src_relpath: first, dst_relpath: second };
    case 'rename':
      return { relpath: first, new_name: second };
    case 'delete':
      return { relpaths: [first, second], recursive: true };
    case 'upload':
      return { relpath: first, size: 1 };
    default:
      return { relpath: first };
  }
}

/** `encodeURIComponent` refuses half characters. */
function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}
