import { Injectable } from '@nestjs/common';
import { ConfigService } from '@nestjs/config';
import { Test } from '@nestjs/testing';
import { Credentials } from './credentials.js';
import { UploadsSection } from './sections/transfers.section.js';
import { Settings } from './settings.js';
import { SettingsModule } from './settings.module.js';
import { loadToml, MINIMAL, removeFolders } from './testing/temporary-config.js';

afterEach(removeFolders);

@Injectable()
class Consumer {
  constructor(
    readonly settings: Settings,
    readonly uploads: UploadsSection,
    readonly credentials: Credentials,
    readonly config: ConfigService<Settings, true>,
  ) {}
}

describe('SettingsModule', () => {
  it('makes the settings injectable as a whole, by section and by path', async () => {
    const { settings } = loadToml(MINIMAL);
    const app = await Test.createTestingModule({
      imports: [SettingsModule.forRoot(settings)],
      providers: [Consumer],
    }).compile();
    const consumer = app.get(Consumer);
    expect(consumer.settings).toBe(settings);
    expect(consumer.uploads).toBeInstanceOf(UploadsSection);
    expect(consumer.uploads.lockWaitMs).toBe(30_000);
    expect(consumer.credentials.jwtKeys).toEqual(['token-secret']);
    expect(consumer.config.get('limits.volumeShare', { infer: true })).toBe(0.5);
    expect(process.env['storageProxy']).toBeUndefined();
    await app.close();
  });
});
