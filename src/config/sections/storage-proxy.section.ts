import { availableParallelism } from 'node:os';
import { Setting, Table } from '../../grammar/section/setting.js';
import {
  duration,
  either,
  flag,
  integer,
  oneOf,
  optionalText,
  path,
  size,
  text,
} from '../../grammar/section/value-type.js';

const MAX_WORKERS = 256;

/** `[storage-proxy.volume-stats]` */
export class VolumeStatsSection {
  @Setting(
    'observe-interval',
    'How often performance figures are read from volumes that have them.',
    duration({ min: 1_000 }),
    {
      default: 10,
    },
  )
  readonly observeIntervalMs!: number;

  @Setting('observe-timeout', 'How long one such reading may take.', duration({ min: 1_000 }), {
    default: 5,
  })
  readonly observeTimeoutMs!: number;

  @Setting(
    'cache-ttl',
    'How long a reading is served before a new one is made.',
    duration({ min: 1_000 }),
    {
      default: 30,
    },
  )
  readonly cacheTtlMs!: number;
}

/** `[storage-proxy]` */
export class StorageProxySection {
  @Setting(
    'node-id',
    'Name of this proxy in logs and job records; unique among the proxies of a site.',
    text(),
    {
      required: true,
      example: 'i-storage-proxy-01',
    },
  )
  readonly nodeId!: string;

  @Setting('num-proc', 'Number of worker processes.', integer({ min: 1, max: MAX_WORKERS }), {
    default: availableParallelism,
    defaultText: 'the number of CPUs',
    example: 4,
  })
  readonly numProc!: number;

  @Setting(
    'pid-file',
    'Where the primary writes its process id; `/dev/null` for nowhere.',
    path(),
    {
      default: '/dev/null',
    },
  )
  readonly pidFile!: string;

  @Setting('event-loop', "Python's event loop.", oneOf('asyncio', 'uvloop'), {
    default: 'asyncio',
    unused: true,
  })
  readonly eventLoop?: never;

  @Setting(
    'scandir-limit',
    'Most entries of one `folder/file/list` answer; 0 for no limit.',
    integer({ min: 0 }),
    {
      default: 1000,
    },
  )
  readonly scandirLimit!: number;

  @Setting('max-upload-size', 'Largest file that may be uploaded.', size({ min: 1 }), {
    default: '100g',
  })
  readonly maxUploadSizeBytes!: number;

  @Setting(
    'secret',
    'Key that signs upload and download tokens (HS256); the same on every proxy that serves the same volumes. May be left out when `[secrets]` has one.',
    text(),
    { secret: true, example: 'some-secret-private-for-storage-proxy', inSample: true },
  )
  readonly secret?: string;

  @Setting(
    'session-expire',
    'How long upload and download tokens are valid.',
    duration({ min: 1_000 }),
    {
      required: true,
      example: '1d',
    },
  )
  readonly sessionExpireMs!: number;

  @Setting(
    'user',
    'User that the workers run as when the proxy is started as root: a name or a number.',
    either(integer({ min: 0 }), text()),
    { defaultText: 'the owner of the installed package', example: 'backend-ai' },
  )
  readonly user?: number | string;

  @Setting(
    'group',
    'Group that the workers run as when the proxy is started as root: a name or a number.',
    either(integer({ min: 0 }), text()),
    { defaultText: 'the group of the installed package', example: 'backend-ai' },
  )
  readonly group?: number | string;

  @Setting(
    'allow-auto-quota-scope-creation',
    'Make a missing quota scope when a vfolder is created in it. Otherwise the request is answered 404.',
    flag(),
    { default: true },
  )
  readonly allowAutoQuotaScopeCreation!: boolean;

  @Setting('ipc-base-path', 'Sockets between processes of the original.', path(), {
    example: '/tmp/backend.ai/ipc',
    unused: true,
  })
  readonly ipcBasePath?: never;

  @Setting(
    'aiomonitor-port',
    "Port of Python's debugging console (older spelling).",
    integer({ min: 1, max: 65_535 }),
    {
      example: 50201,
      unused: true,
    },
  )
  readonly aiomonitorPort?: never;

  @Setting(
    'aiomonitor-termui-port',
    "Port of Python's debugging console.",
    integer({ min: 1, max: 65_535 }),
    {
      default: 38300,
      unused: true,
    },
  )
  readonly aiomonitorTermuiPort?: never;

  @Setting(
    'aiomonitor-webui-port',
    "Port of Python's debugging console.",
    integer({ min: 1, max: 65_535 }),
    {
      default: 39300,
      unused: true,
    },
  )
  readonly aiomonitorWebuiPort?: never;

  @Setting('use-watcher', 'The privileged helper of the original.', flag(), {
    default: false,
    unused: true,
  })
  readonly useWatcher?: never;

  @Setting('watcher-insock-path-prefix', 'Sockets of that helper.', optionalText(), {
    example: '/tmp/watcher-insock',
    unused: true,
  })
  readonly watcherInsockPathPrefix?: never;

  @Setting('watcher-outsock-path-prefix', 'Sockets of that helper.', optionalText(), {
    example: '/tmp/watcher-outsock',
    unused: true,
  })
  readonly watcherOutsockPathPrefix?: never;

  @Table(
    'volume-stats',
    'Performance figures of volumes whose backend measures them.',
    VolumeStatsSection,
  )
  readonly volumeStats!: VolumeStatsSection;
}
