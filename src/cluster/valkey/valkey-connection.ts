import { Redis, type RedisOptions } from 'iovalkey';
import { StorageError } from '../../errors/storage-error.js';
import { loggerFor } from '../../observability/logger.js';
import type { ServiceState } from '../service-state.js';
import type { ValkeyTarget } from './valkey-target.js';

const log = loggerFor('valkey');

const CONNECT_TIMEOUT_MS = 5_000;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** A server that does not even answer this many times its time for a command is taken to be gone. */
const SILENCE_FACTOR = 2;

export interface ValkeyConnectionOptions {
  /** In logs, and in the server's list of clients. */
  readonly name: string;
  readonly database: number;
  readonly target: ValkeyTarget;
  /** Told when the connection can be used, each time. */
  readonly onReady?: () => void;
  /** Told when the server refuses the password. */
  readonly onRefused?: () => void;
}

/**
 * One connection that is made again whenever it breaks, for as long as it is not closed. Nothing is queued
 * while it is down: commands fail at once then, and within their time otherwise, so that whoever needs an
 * answer can decide for himself how long to wait.
 */
export class ValkeyConnection {
  readonly #client: Redis;
  #problem: string | null = 'not connected yet';
  #changedAt = new Date();

  constructor(private readonly options: ValkeyConnectionOptions) {
    this.#client = new Redis(clientOptions(options));
    this.#client.on('ready', () => this.becomeReady());
    this.#client.on('error', (error) => this.fail(error));
    this.#client.on('close', () => this.note(this.#problem ?? 'the connection was closed'));
  }

  get isReady(): boolean {
    return this.#client.status === 'ready';
  }

  state(id: string): ServiceState {
    const healthy = this.isReady && this.#problem === null;
    return {
      group: 'redis',
      id,
      healthy,
      message: healthy ? null : (this.#problem ?? 'not connected'),
      checkedAt: this.#changedAt,
    };
  }

  /**
   * Gives commands.
   *
   * @throws StorageError UNAVAILABLE when there is no connection, or no answer in time
   */
  async run<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    if (!this.isReady) throw unavailable(this.#problem ?? 'not connected');
    try {
      const result = await work(this.#client);
      this.note(null);
      return result;
    } catch (error) {
      const message = reasonOf(error);
      // An answer is a sign of life, whatever it says.
      this.note(isReply(error) && !isRefusal(message) ? null : message);
      throw unavailable(message, error);
    }
  }

  /** Asks for a sign of life, for health reports. Never rejects. */
  async ping(): Promise<void> {
    await this.run((client) => client.ping()).catch(() => undefined);
    if (this.#problem === null) this.#changedAt = new Date();
  }

  /** A second connection to the same place, which hears what is published on a channel, as long as it lasts. */
  subscriber(channel: string, onMessage: (message: string) => void): () => void {
    // Nothing may come for hours, and that is no failure.
    const { socketTimeout: _, ...options } = clientOptions(this.options);
    const client = new Redis({
      ...options,
      connectionName: `${String(options.connectionName)}:subscriber`,
      autoResubscribe: false,
    });
    // The main connection says what is wrong.
    client.on('error', () => undefined);
    client.on('message', (_channel, message: string) => onMessage(message));
    client.on('ready', () => void client.subscribe(channel).catch(() => client.disconnect(true)));
    return () => client.disconnect();
  }

  close(): void {
    this.#client.removeAllListeners();
    this.#client.on('error', () => undefined);
    this.#client.disconnect();
  }

  private becomeReady(): void {
    this.note(null);
    this.options.onReady?.();
  }

  private fail(error: unknown): void {
    const message = reasonOf(error);
    this.note(message);
    if (isRefusal(message)) this.options.onRefused?.();
  }

  /** Logs changes only: a connection that is tried again every two seconds says the same each time. */
  private note(problem: string | null): void {
    if (problem === this.#problem) return;
    const wasGood = this.#problem === null;
    this.#problem = problem;
    this.#changedAt = new Date();
    const facts = { connection: this.options.name };
    if (problem === null) log.info('Valkey can be used', facts);
    else if (wasGood) log.warn('Valkey cannot be used', { ...facts, reason: problem });
    else log.debug('Valkey still cannot be used', { ...facts, reason: problem });
  }
}

function clientOptions({ name, database, target }: ValkeyConnectionOptions): RedisOptions {
  const tls = { rejectUnauthorized: target.tls === 'verified' };
  return {
    ...(target.address && { host: target.address.host, port: target.address.port }),
    ...(target.serviceName !== null &&
      target.address === null && {
        sentinels: [...target.sentinels],
        name: target.serviceName,
        ...(target.sentinelPassword !== null && { sentinelPassword: target.sentinelPassword }),
        sentinelCommandTimeout: target.requestTimeoutMs,
        sentinelRetryStrategy: retryDelayMs,
      }),
    ...(target.tls !== 'off' && { tls, enableTLSForSentinelMode: true }),
    ...(target.username !== null && { username: target.username }),
    ...(target.password !== null && { password: target.password }),
    family: 0,
    db: database,
    connectionName: `storage-proxy:${name}`,
    connectTimeout: CONNECT_TIMEOUT_MS,
    commandTimeout: target.requestTimeoutMs,
    socketTimeout: target.requestTimeoutMs * SILENCE_FACTOR,
    keepAlive: 10_000,
    retryStrategy: retryDelayMs,
    enableOfflineQueue: false,
    // What was under way when the connection broke may or may not have been done: the caller has to know.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // After a failover the server may be a replica now: look for the new primary.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
  };
}

function retryDelayMs(attempt: number): number {
  return Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt, 10), LAST_RETRY_MS);
}

function isReply(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError';
}

function isRefusal(message: string): boolean {
  return /^(?:Ready check failed: )?(?:WRONGPASS|NOAUTH|NOPERM|ERR invalid password)/.test(message);
}

function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message || error.name : String(error);
}

function unavailable(reason: string, cause?: unknown): StorageError {
  return new StorageError('UNAVAILABLE', `Valkey cannot be used: ${reason}`, {}, { cause });
}
