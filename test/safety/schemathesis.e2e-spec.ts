import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Proxy, type TestFolder } from '../support/proxy.js';
import { AUTH_HEADER } from '../support/manager-client.js';

const program = process.env['STORAGE_PROXY_TEST_SCHEMATHESIS'] ?? 'schemathesis';
const SUPPORT = join(process.cwd(), 'test/safety/support');
/** A bound for machines that have other things to do; it takes about a minute. */
const PATIENCE_MS = 400_000;
const SEED = process.env['STORAGE_PROXY_TEST_SEED'] ?? '20261122';

/** And by more than its examples. */
const EVERY_OPERATION_TESTED =
  /Selected: (\d+)\/\1\n\s*Tested: \1\n[^]*✅ Fuzzing[^]*\d{3,} generated/;

interface Document {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, unknown> };
}

describe('schemathesis, with all its checks', () => {
  let proxy: Proxy;
  let folder: TestFolder;

  beforeAll(async () => {
    proxy = await Proxy.start({}, { config: { limits: { 'auth-failures': 1_000_000 } } });
    folder = await proxy.createFolder('scoped');
    mkdirSync(join(folder.path, 'data'));
    writeFileSync(join(folder.path, 'data', 'train.csv'), 'epoch,loss\n1,0.731\n');
  });
  afterAll(() => proxy.stop());

  it(
    'finds nothing wrong with the manager plane',
    async () => {
      const document = read('manager');
      // Random names would all end at "no such volume".
      for (const property of membersNamed(document, 'volume', 'src_volume'))
        property['enum'] = ['local'];
      const header = `${AUTH_HEADER}: ${proxy.secret}`;
      const output = await check(document, proxy.manager.origin, 8, ['-H', header]);
      expect(output).toMatch(EVERY_OPERATION_TESTED);
      expect(unmeantFailures()).toEqual([]);
    },
    PATIENCE_MS,
  );

  it(
    'finds nothing wrong with the client plane',
    async () => {
      const document = read('client');
      const tokens: Record<string, string> = {
        '/upload': await proxy.uploadToken(folder, 'upload.bin', 1_000_000),
        '/download': await proxy.downloadToken(folder, 'data/train.csv'),
        '/download-archive': proxy.sign({
          operation: 'download',
          volume: 'local',
          virtual_folder_id: folder.vfid,
          files: ['data'],
          filename: null,
          exp: Math.floor(Date.now() / 1000) + 3600,
        }),
      };
      for (const [path, item] of Object.entries(document.paths)) {
        for (const { name, schema } of parametersOf(item)) {
          if (name === 'token' && tokens[path]) schema['enum'] = [tokens[path]];
        }
      }
      const output = await check(document, proxy.clientOrigin, 25, []);
      expect(output).toMatch(EVERY_OPERATION_TESTED);
      expect(unmeantFailures()).toEqual([]);
    },
    PATIENCE_MS,
  );

  /** Access log lines; 503 and 507 are answers that are meant. */
  function unmeantFailures(): string[] {
    return proxy.output.split('\n').filter((line) => /"status":5(?!03|07)\d\d/.test(line));
  }

  async function check(
    document: Document,
    origin: string,
    examples: number,
    more: readonly string[],
  ): Promise<string> {
    const file = join(proxy.mount(), '..', 'openapi.json');
    writeFileSync(file, JSON.stringify(document));
    const child = spawn(
      program,
      [
        `--config-file=${join(SUPPORT, 'schemathesis.toml')}`,
        'run',
        file,
        `--url=${origin}`,
        '--checks=all',
        `--seed=${SEED}`,
        `--max-examples=${examples}`,
        '--generation-database=none',
        '--continue-on-failure',
        '--no-color',
        '--warnings=off',
        ...more,
      ],
      {
        // It keeps what it has found in its working directory, and would begin with that.
        cwd: dirname(file),
        env: {
          ...process.env,
          SCHEMATHESIS_HOOKS: 'schemathesis_hooks',
          PYTHONPATH: SUPPORT,
          PYTHONDONTWRITEBYTECODE: '1',
        },
      },
    );
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => output.push(text));
    }
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', resolve);
    });
    if (code !== 0) throw new Error(`schemathesis has found something:\n${output.join('')}`);
    return output.join('');
  }
});

function read(plane: 'client' | 'manager'): Document {
  return JSON.parse(readFileSync(`openapi/${plane}.json`, 'utf8')) as Document;
}

type Schema = Record<string, unknown>;
interface Parameter {
  readonly name: string;
  readonly schema: Schema;
}

function parametersOf(item: Record<string, unknown>): Parameter[] {
  return Object.values(item).flatMap(
    (operation) => (operation as { parameters?: Parameter[] }).parameters ?? [],
  );
}

/** The schemas of every parameter, and member of a request, with one of the names. */
function membersNamed({ paths, components }: Document, ...names: string[]): Schema[] {
  const parameters: Schema[] = Object.values(paths)
    .flatMap(parametersOf)
    .filter(({ name }) => names.includes(name))
    .map(({ schema }) => schema);
  const members = Object.values(components.schemas).flatMap((schema) => {
    const { properties = {}, additionalProperties } = schema as {
      properties?: Record<string, Schema>;
      additionalProperties?: boolean;
    };
    const isRequest = additionalProperties === false || 'src_volume' in properties;
    return isRequest
      ? names.flatMap((name): Schema[] => (properties[name] ? [properties[name]] : []))
      : [];
  });
  return [...parameters, ...members];
}
