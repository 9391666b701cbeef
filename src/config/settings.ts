import { plainToInstance, Type } from 'class-transformer';
import {
  fieldsOf,
  NamedTables,
  Setting,
  Table,
  type SectionClass,
} from '../grammar/section/setting.js';
import { anything, isTable } from '../grammar/section/value-type.js';
import { Credentials } from './credentials.js';
import { AgentSection } from './sections/agent.section.js';
import { ApiSection } from './sections/api.section.js';
import { ArtifactRegistrySection, ArtifactStorageSection } from './sections/artifact.section.js';
import { AuditSection } from './sections/audit.section.js';
import { DebugSection, LoggingSection } from './sections/logging.section.js';
import { LimitsSection } from './sections/limits.section.js';
import { HealthSection, JobsSection } from './sections/operations.section.js';
import { PlaneSection } from './sections/plane.section.js';
import { SecretsSection, SecuritySection } from './sections/secrets.section.js';
import { ServerSection } from './sections/server.section.js';
import {
  EtcdSection,
  OtelSection,
  PyroscopeSection,
  ReservoirClientSection,
  ServiceDiscoverySection,
} from './sections/services.section.js';
import { StorageProxySection } from './sections/storage-proxy.section.js';
import { DownloadsSection, UploadsSection } from './sections/transfers.section.js';
import { ValkeySection } from './sections/valkey.section.js';
import { VolumeSection } from './sections/volume.section.js';

const NO_ARTIFACTS = 'this proxy has no artifact endpoints (/v1)';

/**
 * All settings, checked: the tables of `storage-proxy.toml`, the original's first and then our own.
 * Only plain values inside, so that the primary can send it to its workers as JSON.
 */
export class Settings {
  @Table('storage-proxy', 'The proxy itself.', StorageProxySection)
  readonly storageProxy!: StorageProxySection;

  @Table('api', 'The listeners.', ApiSection)
  readonly api!: ApiSection;

  @NamedTables(
    'volume',
    'One table for each volume; its name is the name on the wire. `noop` is built in and cannot be configured.',
    VolumeSection,
  )
  readonly volumes!: readonly VolumeSection[];

  @Table('logging', 'Logs.', LoggingSection)
  readonly logging!: LoggingSection;

  @Table('debug', 'Debugging.', DebugSection)
  readonly debug!: DebugSection;

  @Table('server', 'The process group as a whole.', ServerSection)
  readonly server!: ServerSection;

  @Table('client-plane', 'What `[api.client]` has no keys for.', PlaneSection)
  readonly clientPlane!: PlaneSection;

  @Table('manager-plane', 'What `[api.manager]` has no keys for.', PlaneSection)
  readonly managerPlane!: PlaneSection;

  @Table(
    'agent',
    'The privileged helper of an unprivileged proxy. `storage-proxy agent` and `serve` read the same keys.',
    AgentSection,
  )
  readonly agent!: AgentSection;

  @Table('uploads', 'Resumable uploads.', UploadsSection)
  readonly uploads!: UploadsSection;

  @Table('downloads', 'Downloads and archives.', DownloadsSection)
  readonly downloads!: DownloadsSection;

  @Table('jobs', 'Deletes, clones and other work that outlives its request.', JobsSection)
  readonly jobs!: JobsSection;

  @Table('health', 'Probes of the volumes.', HealthSection)
  readonly health!: HealthSection;

  @Table(
    'limits',
    'What keeps one sick volume, one client or one request from harming the others. Counts are those of one worker.',
    LimitsSection,
  )
  readonly limits!: LimitsSection;

  @Table(
    'secrets',
    'More secrets than the one of each kind above, for rotation, and secrets in files. Of the token keys the first one signs and all are accepted.',
    SecretsSection,
  )
  readonly secrets!: SecretsSection;

  @Table('security', 'What tokens may reach.', SecuritySection)
  readonly security!: SecuritySection;

  @Table('audit', 'Who changed what.', AuditSection)
  readonly audit!: AuditSection;

  @Table(
    'valkey',
    'The Valkey (or Redis) of the site: events for managers, uploads, statistics.',
    ValkeySection,
  )
  readonly valkey!: ValkeySection;

  @Table(
    'etcd',
    'The etcd of the site, which knows where its Valkey is. Without this table none is asked.',
    EtcdSection,
    { optional: true },
  )
  readonly etcd?: EtcdSection;

  @Table('pyroscope', 'Profiling.', PyroscopeSection, { unused: true })
  readonly pyroscope?: never;

  @Table('otel', 'OpenTelemetry.', OtelSection, { unused: true })
  readonly otel?: never;

  @Table(
    'service-discovery',
    'Registration for metrics scraping. Without this table there is none.',
    ServiceDiscoverySection,
    {
      optional: true,
    },
  )
  readonly serviceDiscovery?: ServiceDiscoverySection;

  @NamedTables('artifact-storages', 'Stores of model artifacts.', ArtifactStorageSection, {
    notServed: NO_ARTIFACTS,
  })
  readonly artifactStorages?: never;

  @NamedTables('artifact-registries', 'Registries of model artifacts.', ArtifactRegistrySection, {
    notServed: NO_ARTIFACTS,
  })
  readonly artifactRegistries?: never;

  @Setting('storages', 'Deprecated list form of `[artifact-storages]`.', anything(), {
    notServed: NO_ARTIFACTS,
  })
  readonly storages?: never;

  @Setting('registries', 'Deprecated list form of `[artifact-registries]`.', anything(), {
    notServed: NO_ARTIFACTS,
  })
  readonly registries?: never;

  @Table('reservoir-client', 'Calls to artifact registries.', ReservoirClientSection, {
    unused: true,
  })
  readonly reservoirClient?: never;

  /** Not a table: gathered from several. */
  @Type(() => Credentials)
  readonly credentials!: Credentials;
}

/** Secrets included: for the workers only, never for a log. */
export function settingsToJson(settings: Settings): string {
  return JSON.stringify(settings);
}

/** The settings again, sections as instances of their classes. */
export function settingsFromJson(json: string): Settings {
  // No transformation group: values are as they were read, not as they stood in the file.
  return plainToInstance(Settings, JSON.parse(json));
}

const REDACTED = '(redacted)';
/** Backends name their options as they like; these words give a secret away. */
const SECRET_OPTION = /pass|secret|token|key|credential/i;

/** For printing: a plain object without any secret. */
export function redacted(settings: Settings): Record<string, unknown> {
  return {
    ...redactSection(Settings, settings),
    volumes: settings.volumes.map((volume) => ({
      ...redactSection(VolumeSection, volume),
      name: volume.name,
      options: redactOptions(volume.options),
    })),
  };
}

function redactSection(section: SectionClass, instance: object): Record<string, unknown> {
  const values = new Map(Object.entries(instance));
  const shown: Record<string, unknown> = {};
  for (const field of fieldsOf(section)) {
    const value: unknown = values.get(field.property);
    if (value === undefined) continue;
    if (field.kind === 'value') {
      shown[field.property] = field.secret ? REDACTED : value;
    } else if (field.kind === 'table') {
      shown[field.property] = redactSection(field.section, Object(value));
    }
  }
  return shown;
}

function redactOptions(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, value]) => {
      if (SECRET_OPTION.test(name)) return [name, REDACTED];
      return [name, isTable(value) ? redactOptions(value) : value];
    }),
  );
}
