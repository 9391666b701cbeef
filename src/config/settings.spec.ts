import { join } from 'node:path';
import { loadSettings } from './load-settings.js';
import { StorageProxySection } from './sections/storage-proxy.section.js';
import { UploadsSection } from './sections/transfers.section.js';
import { VolumeSection } from './sections/volume.section.js';
import { redacted, Settings, settingsFromJson, settingsToJson } from './settings.js';

const { settings } = loadSettings({
  argvPath: join(__dirname, 'testing/current-26.toml'),
  env: { STORAGE_PROXY__SECRETS__JWT_KEYS: '["older-token-secret"]' },
  cwd: '/',
});

describe('settings as JSON', () => {
  const again = settingsFromJson(settingsToJson(settings));

  it('come back equal, secrets included', () => {
    expect(again).toEqual(settings);
    expect(again.credentials.jwtKeys).toEqual(['current-token-secret', 'older-token-secret']);
  });

  it('come back as instances of their classes', () => {
    expect(again).toBeInstanceOf(Settings);
    expect(again.storageProxy).toBeInstanceOf(StorageProxySection);
    expect(again.uploads).toBeInstanceOf(UploadsSection);
    expect(again.volumes[0]).toBeInstanceOf(VolumeSection);
  });
});

describe('redacted settings', () => {
  const text = JSON.stringify(redacted(settings));

  it('hold no secret', () => {
    for (const secret of [
      ...settings.credentials.jwtKeys,
      ...settings.credentials.managerSecrets.map(({ value }) => value),
    ]) {
      expect(text).not.toContain(secret);
    }
    expect(text).not.toContain('T-11111111-2222');
    expect(text).not.toContain('credentials');
  });

  it('hold the rest', () => {
    expect(redacted(settings)).toMatchObject({
      storageProxy: { nodeId: 'i-storage-proxy-01', secret: '(redacted)' },
      api: { manager: { serviceAddr: { host: '127.0.0.1', port: 6022 } } },
      volumes: [
        { name: 'volume1' },
        { name: 'lab.data' },
        {
          options: { purity_endpoint: 'https://flash.example.org', purity_api_token: '(redacted)' },
        },
      ],
    });
  });
});
