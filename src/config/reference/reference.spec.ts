import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { loadSettings } from '../load-settings.js';
import { redacted } from '../settings.js';
import { loadToml, makeFolder, MINIMAL, removeFolders } from '../testing/temporary-config.js';
import { renderReference } from './render-reference.js';
import { renderSample } from './render-sample.js';

const ROOT = join(__dirname, '../../..');
const SAMPLE = join(ROOT, 'config/sample.toml');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

afterEach(removeFolders);

describe('generated documents', () => {
  it.each([
    ['config/sample.toml', renderSample],
    ['docs/configuration.md', renderReference],
  ])(
    '%s is what the section classes say; run "npm run docs:config" after changing them',
    (file, render) => {
      expect(render()).toBe(read(file));
    },
  );
});

describe('config/sample.toml', () => {
  it('loads strictly, without a warning, and sets every key to its default', () => {
    const { settings, warnings } = loadToml(renderSample(), { strict: true });
    expect(warnings).toEqual([]);
    const { storageProxy, volumes, api, ...defaults } = redacted(settings);
    const minimal = redacted(loadToml(MINIMAL).settings);
    expect(defaults).toEqual({
      ...minimal,
      storageProxy: undefined,
      volumes: undefined,
      api: undefined,
    });
    expect(api).toEqual(minimal['api']);
    expect(storageProxy).toEqual({
      ...Object(minimal['storageProxy']),
      nodeId: 'i-storage-proxy-01',
    });
    expect(volumes).toMatchObject([{ name: 'volume1', backend: 'vfs' }]);
  });

  it('loads strictly with everything that is commented out, too', () => {
    const everything = renderSample()
      .replaceAll(/^# (?=\[|[a-z-]+ = )/gm, '')
      // The example names no file of this machine.
      .replace(/^password-file = .*$/m, '');
    expect(Object.keys(parse(everything))).toContain('artifact-storages');
    const { warnings } = loadToml(everything, { strict: true });
    expect(warnings.filter((line) => line.includes('unknown'))).toEqual([]);
  });
});

describe('config/halfstack.toml', () => {
  it('loads strictly', () => {
    const folder = makeFolder();
    const { settings } = loadToml(read('config/halfstack.toml'), { strict: true, folder });
    expect(settings.volumes).toMatchObject([{ path: join(folder, 'vfroot/local/volume1') }]);
  });
});

describe('.env.example', () => {
  it('names only variables that override something', () => {
    const env: Record<string, string> = {};
    for (const line of read('.env.example').split('\n')) {
      const [, name, value] = /^#([A-Z_0-9]+)=(.*)$/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) env[name] = value;
    }
    const folder = makeFolder();
    writeFileSync(join(folder, 'jwt'), 'key', { mode: 0o600 });
    const { settings } = loadSettings({
      argvPath: SAMPLE,
      cwd: ROOT,
      env: { ...env, STORAGE_PROXY__SECRETS__JWT_KEY_FILES: join(folder, 'jwt') },
      strict: true,
    });
    expect(Object.keys(env).length).toBeGreaterThan(15);
    expect(settings.volumes.map(({ name }) => name)).toEqual(['volume1', 'scratch']);
    expect(settings.logging.level).toBe('DEBUG');
  });
});
