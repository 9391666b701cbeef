import { Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import { ConfigModule, ConfigService } from '@nestjs/config';
import { Credentials } from './credentials.js';
import { ApiSection } from './sections/api.section.js';
import { LoggingSection } from './sections/logging.section.js';
import { LimitsSection } from './sections/limits.section.js';
import { HealthSection, JobsSection } from './sections/operations.section.js';
import { SecuritySection } from './sections/secrets.section.js';
import { ServerSection } from './sections/server.section.js';
import { StorageProxySection } from './sections/storage-proxy.section.js';
import { DownloadsSection, UploadsSection } from './sections/transfers.section.js';
import { Settings } from './settings.js';

/** Injectable by their class. The two planes' tables share one class: take them from `Settings`. */
const SECTIONS = [
  ['storageProxy', StorageProxySection],
  ['api', ApiSection],
  ['logging', LoggingSection],
  ['server', ServerSection],
  ['uploads', UploadsSection],
  ['downloads', DownloadsSection],
  ['jobs', JobsSection],
  ['health', HealthSection],
  ['limits', LimitsSection],
  ['security', SecuritySection],
  ['credentials', Credentials],
] as const satisfies readonly (readonly [keyof Settings, Type])[];

/** Makes the settings injectable: as a whole, section by section, and through Nest's ConfigService. */
@Module({})
export class SettingsModule {
  static forRoot(settings: Settings): DynamicModule {
    const providers: Provider[] = [
      { provide: Settings, useValue: settings },
      ...SECTIONS.map(([property, Section]) => ({
        provide: Section,
        inject: [ConfigService],
        useFactory: (config: ConfigService<Settings, true>): unknown => config.get(property),
      })),
    ];
    return {
      module: SettingsModule,
      global: true,
      imports: [
        ConfigModule.forRoot({
          isGlobal: true,
          // The environment is already laid over the file, by our own rule.
          ignoreEnvFile: true,
          ignoreEnvVars: true,
          skipProcessEnv: true,
          load: [() => Object.fromEntries(Object.entries(settings))],
        }),
      ],
      providers,
      exports: providers.map((provider) =>
        typeof provider === 'function' ? provider : provider.provide,
      ),
    };
  }
}
