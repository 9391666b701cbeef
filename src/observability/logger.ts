import { pino, type DestinationStream, type Level, type Logger as PinoLogger } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { GatheredLines } from './gathered-lines.js';
import { timeMember } from './log-time.js';
import { redact } from './redact.js';
import { requestFacts, tracedRequest } from './request-context.js';

export interface LoggingOptions {
  readonly level: Level;
  /** `auto`: pretty on a terminal, one JSON object a line elsewhere. */
  readonly format?: 'auto' | 'json' | 'pretty';
  /** Whether pretty lines have colours; by default on a terminal. */
  readonly colored?: boolean | undefined;
  /** Standard output unless given; commands that print a result there log to `stderr`. */
  readonly destination?: DestinationStream | 'stdout' | 'stderr';
  /** Members of every line, for example the worker's number. */
  readonly base?: Readonly<Record<string, unknown>>;
}

/** Of the logger in use, when it writes to a descriptor. */
let gathered: GatheredLines | undefined;
let root = createLogger({ level: 'info' });
/** Counts reconfigurations, so that component loggers notice them. */
let generation = 0;

/** Replaces the process's logger; loggers handed out earlier follow. */
export function configureLogging(options: LoggingOptions): void {
  root = createLogger(options);
  generation += 1;
}

/** Writes lines that wait for the end of the event loop's turn, see `GatheredLines`. For those who end a process by a signal. */
export function flushLogs(): void {
  gathered?.flushSync();
}
process.on('exit', flushLogs);

/** Changes the level of the running process, for example on SIGHUP. */
export function setLogLevel(level: Level): void {
  root.level = level;
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
 * configured. Lines of a traced request carry its id and plane; where a request is at hand, give its
 * `requestFacts`. An error goes under the member `err`.
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

function createLogger(options: LoggingOptions): PinoLogger {
  return pino(
    {
      level: options.level,
      base: { pid: process.pid, ...options.base },
      timestamp: timeMember,
      formatters: { level: (label) => ({ level: label }) },
      mixin: tracedFacts,
      hooks: { streamWrite: redact },
    },
    destinationOf(options),
  );
}

function tracedFacts(): object {
  const request = tracedRequest();
  return request === undefined ? {} : requestFacts(request);
}

/** Synchronous but for {@link GatheredLines}: what lay in a buffer would be lost with a process that is killed. */
function destinationOf(options: LoggingOptions): DestinationStream {
  flushLogs();
  const { format = 'auto', destination = 'stdout' } = options;
  const standard = destination === 'stderr' ? process.stderr : process.stdout;
  const isTerminal = typeof destination === 'string' && standard.isTTY;
  gathered =
    typeof destination === 'string'
      ? new GatheredLines(pino.destination({ fd: standard.fd, sync: true }))
      : undefined;
  const sink = gathered ?? (destination as DestinationStream);
  if (format === 'json' || (format === 'auto' && !isTerminal)) return sink;
  const prettify = prettyFactory({
    colorize: options.colored ?? isTerminal,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid,plane',
    singleLine: true,
  });
  return { write: (line) => sink.write(prettify(line)) };
}
