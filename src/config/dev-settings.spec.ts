import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { devFiles, devSettings } from './dev-settings.js';
import { makeFolder, problemsOf, removeFolders } from './testing/temporary-config.js';

afterEach(removeFolders);

describe('devSettings', () => {
  it('makes a playground on loopback', () => {
    const varDir = join(makeFolder(), 'var');
    const { settings, warnings } = devSettings(varDir, { env: {} });
    expect(settings.volumes).toMatchObject([
      { name: 'local', backend: 'vfs', path: join(varDir, 'volumes/local') },
    ]);
    expect(settings.api).toMatchObject({
      client: { serviceAddr: { host: '127.0.0.1', port: 6021 } },
      manager: {
        serviceAddr: { host: '127.0.0.1', port: 6022 },
        internalAddr: { host: '127.0.0.1', port: 16023 },
      },
    });
    expect(statSync(join(varDir, 'volumes/local')).isDirectory()).toBe(true);
    expect(warnings).toEqual([]);
  });

  it('keeps its secrets, for the owner only', () => {
    const varDir = makeFolder();
    const first = devSettings(varDir, { env: {} }).settings.credentials;
    const second = devSettings(varDir, { env: {} }).settings.credentials;
    expect(second).toEqual(first);
    expect(first.jwtKeys[0]).not.toBe(first.managerSecrets[0]?.value);
    const { managerSecret, jwtKey } = devFiles(varDir);
    for (const file of [managerSecret, jwtKey]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(readFileSync(file, 'utf8')).toMatch(/^[0-9a-f]{64}\n$/);
    }
  });

  it('takes overrides from the environment', () => {
    const env = {
      STORAGE_PROXY__API__CLIENT__SERVICE_ADDR: '127.0.0.1:0',
      STORAGE_PROXY__STORAGE_PROXY__NUM_PROC: '2',
      STORAGE_PROXY__API__MANAGER__SECRET: 'mine',
    };
    const { settings } = devSettings(makeFolder(), { env });
    expect(settings.api.client.serviceAddr.port).toBe(0);
    expect(settings.storageProxy.numProc).toBe(2);
    expect(settings.credentials.managerSecrets[0]?.value).toBe('mine');
    const wrong = { STORAGE_PROXY__STORAGE_PROXY__NUM_PROC: 'two' };
    expect(problemsOf(() => devSettings(makeFolder(), { env: wrong }))).toHaveLength(1);
  });
});
