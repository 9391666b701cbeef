import { pino, type DestinationStream, type Level, type Logger as PinoLogger } from 'pino';
import { PinoPretty } from 'pino-pretty';
import { redact } from './redact.js';
import { currentRequest } from './request-context.js';

/** The names of `[logging] level`, as operators of the Python proxy know them. */
export const LOG_LEVELS = [
  'NOTSET',
  'TRACE',
  'DEBUG',
  'INFO',
  'WARNING',
  'ERROR',
  'CRITICAL',
] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const PINO_LEVEL: Readonly<Record<LogLevel, Level>> = {
  NOTSET: 'trace',
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
};

export interface LoggingOptions {
  readonly level: LogLevel;
  /** `auto`: pretty on a terminal, one JSON object a line elsewhere. */
  readonly format?: 'auto' | 'json' | 'pretty';
  /** Standard error by default, so that commands keep standard output to themselves. */
  readonly destination?: DestinationStream;
  /** Members of every line, for example the worker's number. */
  readonly base?: Readonly<Record<string, unknown>>;
}

let root = createLogger({ level: 'INFO' });
/** Counts reconfigurations, so that component loggers notice them. */
let generation = 0;

/** Replaces the process's logger; loggers handed out earlier follow. */
export function configureLogging(options: LoggingOptions): void {
  root = createLogger(options);
  generation += 1;
}

/** Changes the level of the running process, for example on SIGHUP. */
export function setLogLevel(level: LogLevel): void {
  root.level = PINO_LEVEL[level];
  generation += 1;
}

/** Where a component writes. Pass facts as members, the event as a constant sentence. */
export interface ComponentLogger {
  trace(message: string, facts?: object): void;
  debug(message: string, facts?: object): void;
  info(message: string, facts?: object): void;
  warn(message: string, facts?: object): void;
  error(message: string, facts?: object): void;
  /** Something that ends the process. */
  fatal(message: string, facts?: object): void;
}

/**
 * The logger of a component, for example `loggerFor('uploads')`. May be made before logging is
 * configured. Lines of a request carry its id and plane. An error goes under the member `err`.
 */
export function loggerFor(component: string): ComponentLogger {
  let child: PinoLogger | undefined;
  let made = -1;
  const write = (level: Level, message: string, facts?: object): void => {
    if (child === undefined || made !== generation) {
      child = root.child({ component });
      made = generation;
    }
    child[level](facts ?? {}, message);
  };
  return {
    trace: (message, facts) => write('trace', message, facts),
    debug: (message, facts) => write('debug', message, facts),
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
    fatal: (message, facts) => write('fatal', message, facts),
  };
}

/** A logger by itself; most code wants {@link loggerFor}. */
export function createLogger(options: LoggingOptions): PinoLogger {
  return pino(
    {
      level: PINO_LEVEL[options.level],
      base: { pid: process.pid, ...options.base },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: requestFacts,
      hooks: { streamWrite: redact },
    },
    destinationOf(options),
  );
}

function requestFacts(): object {
  const request = currentRequest();
  return request === undefined ? {} : { request_id: request.requestId, plane: request.plane };
}

/** Synchronous on purpose: workers end by SIGKILL, and a line in a buffer would be lost. */
function destinationOf(options: LoggingOptions): DestinationStream {
  const { format = 'auto', destination } = options;
  const pretty = format === 'pretty' || (format === 'auto' && !destination && process.stderr.isTTY);
  if (!pretty) return destination ?? pino.destination({ fd: 2, sync: true });
  return PinoPretty({
    sync: true,
    colorize: process.stderr.isTTY,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,plane',
    destination: (destination as never) ?? 2,
  });
}
