import { Setting, Table } from '../../grammar/section/setting.js';
import {
  anything,
  flag,
  integer,
  listOf,
  oneOf,
  record,
  text,
} from '../../grammar/section/value-type.js';

/** From the finest to the coarsest. */
export const LOG_LEVELS = [
  'NOTSET',
  'TRACE',
  'DEBUG',
  'INFO',
  'WARNING',
  'ERROR',
  'CRITICAL',
] as const;
const DRIVERS = ['console', 'file', 'logstash', 'graylog'] as const;
const FORMATS = ['simple', 'verbose'] as const;
const ONLY_CONSOLE = 'logs go to standard output only; collect them from there';

export type LogLevel = (typeof LOG_LEVELS)[number];
type LogDriver = (typeof DRIVERS)[number];

/** `[logging.console]` */
export class ConsoleLogSection {
  @Setting('colored', 'Colours in pretty logs.', flag(), {
    defaultText: 'on a terminal',
    example: true,
  })
  readonly colored?: boolean;

  @Setting(
    'format',
    'Layout of a line in the original; see `server.log-format`.',
    oneOf(...FORMATS),
    {
      default: 'verbose',
      unused: true,
    },
  )
  readonly format?: never;
}

class FileLogSection {
  @Setting('path', 'Folder.', text(), { example: './logs' })
  readonly path?: never;
  @Setting('filename', 'Name.', text(), { example: 'storage-proxy.log' })
  readonly filename?: never;
  @Setting('backup-count', 'Rotated files kept.', integer({ min: 0 }), { default: 5 })
  readonly backupCount?: never;
  @Setting('rotation-size', 'Size at which a file is rotated.', anything(), { default: '10MB' })
  readonly rotationSize?: never;
  @Setting('format', 'Layout of a line.', oneOf(...FORMATS), { default: 'verbose' })
  readonly format?: never;
}

class LogstashSection {
  @Setting('endpoint', 'Address.', anything(), { example: '127.0.0.1:5000' })
  readonly endpoint?: never;
  @Setting('protocol', 'Transport.', text(), { example: 'tcp' })
  readonly protocol?: never;
  @Setting('ssl-enabled', 'TLS.', flag(), { example: true })
  readonly sslEnabled?: never;
  @Setting('ssl-verify', 'Check the certificate.', flag(), { example: true })
  readonly sslVerify?: never;
}

class GraylogSection {
  @Setting('host', 'Host.', text(), { example: '127.0.0.1' })
  readonly host?: never;
  @Setting('port', 'Port.', integer({ min: 0, max: 65_535 }), { example: 12201 })
  readonly port?: never;
  @Setting('level', 'Level.', oneOf(...LOG_LEVELS), { example: 'INFO' })
  readonly level?: never;
  @Setting('ssl-verify', 'Check the certificate.', flag(), { example: true })
  readonly sslVerify?: never;
  @Setting('ca-certs', 'Authorities.', anything(), { example: '/etc/ssl/certs/ca.pem' })
  readonly caCerts?: never;
  @Setting('keyfile', 'Key.', anything(), { example: '/etc/ssl/private/graylog.key' })
  readonly keyfile?: never;
  @Setting('certfile', 'Certificate.', anything(), { example: '/etc/ssl/certs/graylog.crt' })
  readonly certfile?: never;
}

/** `[logging]` */
export class LoggingSection {
  @Setting(
    'level',
    'Least severe level that is logged. Read again on SIGHUP.',
    oneOf(...LOG_LEVELS),
    {
      default: 'INFO',
    },
  )
  readonly level!: LogLevel;

  @Setting(
    'drivers',
    'Where logs go. Only `console`, standard output, exists here.',
    listOf(oneOf(...DRIVERS)),
    {
      default: ['console'],
    },
  )
  readonly drivers!: readonly LogDriver[];

  @Setting('pkg-ns', 'Levels by Python package.', record(), {
    example: { '': 'WARNING', 'ai.backend': 'INFO' },
    unused: true,
  })
  readonly pkgNs?: never;

  @Table('console', 'Logs on standard output.', ConsoleLogSection)
  readonly console!: ConsoleLogSection;

  @Table('file', 'Log files.', FileLogSection, { notServed: ONLY_CONSOLE })
  readonly file?: never;

  @Table('logstash', 'Logstash.', LogstashSection, { notServed: ONLY_CONSOLE })
  readonly logstash?: never;

  @Table('graylog', 'Graylog.', GraylogSection, { notServed: ONLY_CONSOLE })
  readonly graylog?: never;
}

/** `[debug]` */
export class DebugSection {
  @Setting('enabled', 'Log at level `DEBUG` whatever `logging.level` says.', flag(), {
    default: false,
  })
  readonly enabled!: boolean;

  @Setting('asyncio', "Debugging of Python's event loop.", flag(), { default: false, unused: true })
  readonly asyncio?: never;

  @Setting('enhanced-aiomonitor-task-info', "Debugging of Python's event loop.", flag(), {
    default: false,
    unused: true,
  })
  readonly enhancedAiomonitorTaskInfo?: never;

  @Setting('log-events', 'Log each event on the bus of the original.', flag(), {
    default: false,
    unused: true,
  })
  readonly logEvents?: never;
}
