import { formatHostPort, type HostPort } from '../../grammar/host-port.js';

const REQUEST_TIMEOUT_MS = 3_000;

/** `code` of the gateway's error answers: a token that the server does not know (any more). */
const UNAUTHENTICATED = 16;

export interface EtcdClientOptions {
  /** Members of one cluster, tried in this order. */
  readonly addresses: readonly HostPort[];
  readonly user: string | null;
  readonly password: string | null;
}

/** etcd cannot be asked, or refuses. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError';

  constructor(
    message: string,
    /** gRPC status of an answer; `null` when there was none. */
    readonly status: number | null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/**
 * The few calls we need of etcd, over the JSON gateway that every etcd since 3.4 serves on its client port.
 * Keys and values are UTF-8 text. Rejects with EtcdError.
 */
export class EtcdClient {
  #token: string | null = null;
  /** Index of the member that answered last. */
  #member = 0;

  constructor(private readonly options: EtcdClientOptions) {}

  /** The value of a key; `null` without one. */
  async get(key: string): Promise<string | null> {
    const [found] = await this.range({ key: encode(key) });
    return found?.[1] ?? null;
  }

  /** All keys that start with `prefix`, sorted. */
  async list(prefix: string): Promise<[key: string, value: string][]> {
    return await this.range({ key: encode(prefix), range_end: encodeBytes(endOf(prefix)) });
  }

  /** `ttlSeconds`: the key goes away by itself unless it is put again. */
  async put(
    key: string,
    value: string,
    { ttlSeconds }: { ttlSeconds?: number } = {},
  ): Promise<void> {
    const lease = ttlSeconds === undefined ? undefined : await this.grant(ttlSeconds);
    await this.call('kv/put', { key: encode(key), value: encode(value), ...(lease && { lease }) });
  }

  /** Removes all keys that start with `prefix`. */
  async deletePrefix(prefix: string): Promise<void> {
    const range_end = encodeBytes(endOf(prefix));
    await this.call('kv/deleterange', { key: encode(prefix), range_end });
  }

  private async range(body: object): Promise<[key: string, value: string][]> {
    const { kvs = [] } = (await this.call('kv/range', body)) as {
      kvs?: { key: string; value?: string }[];
    };
    // An empty value is left out of the answer.
    return kvs.map(({ key, value = '' }) => [decode(key), decode(value)]);
  }

  private async grant(seconds: number): Promise<string> {
    const { ID } = (await this.call('lease/grant', { TTL: seconds })) as { ID: string };
    return ID;
  }

  /** Authenticates when configured, and once more when the token has expired. */
  private async call(path: string, body: object): Promise<unknown> {
    if (this.options.user === null) return await this.post(path, body, null);
    this.#token ??= await this.authenticate();
    try {
      return await this.post(path, body, this.#token);
    } catch (error) {
      if (!isInvalidToken(error)) throw error;
      this.#token = await this.authenticate();
      return await this.post(path, body, this.#token);
    }
  }

  private async authenticate(): Promise<string> {
    const { user, password } = this.options;
    const body = { name: user, password: password ?? '' };
    const { token } = (await this.post('auth/authenticate', body, null)) as { token: string };
    return token;
  }

  /** The first member that answers decides. */
  private async post(path: string, body: object, token: string | null): Promise<unknown> {
    const { addresses } = this.options;
    let failure: unknown;
    for (let tried = 0; tried < addresses.length; tried++) {
      const member = (this.#member + tried) % addresses.length;
      try {
        const answer = await this.postTo(addresses[member]!, path, body, token);
        this.#member = member;
        return answer;
      } catch (error) {
        if (error instanceof EtcdError && error.status !== null) throw error;
        failure = error;
      }
    }
    throw failure;
  }

  private async postTo(
    address: HostPort,
    path: string,
    body: object,
    token: string | null,
  ): Promise<unknown> {
    const place = formatHostPort(address);
    try {
      const response = await fetch(`http://${place}/v3/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(token && { authorization: token }) },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
        redirect: 'error',
      });
      const text = await response.text();
      if (response.ok) return JSON.parse(text) as unknown;
      throw refusal(place, response.status, text);
    } catch (error) {
      if (error instanceof EtcdError) throw error;
      throw new EtcdError(`etcd at ${place} does not answer: ${reasonOf(error)}`, null, {
        cause: error,
      });
    }
  }
}

function refusal(place: string, httpStatus: number, text: string): EtcdError {
  let answer: { error?: string; message?: string; code?: number } = {};
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    // Not etcd's own answer: something else listens there, or stands in between.
  }
  const reason = answer.message ?? answer.error ?? `HTTP ${httpStatus}`;
  // A member that has lost its leader may be the only one that has.
  const isAway = httpStatus === 503 || answer.code === undefined;
  return new EtcdError(`etcd at ${place}: ${reason}`, isAway ? null : (answer.code ?? null));
}

function isInvalidToken(error: unknown): boolean {
  if (!(error instanceof EtcdError)) return false;
  return error.status === UNAUTHENTICATED || error.message.includes('invalid auth token');
}

/** What fetch says is that it failed; the reason is one level down. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `no answer within ${REQUEST_TIMEOUT_MS / 1_000} s`;
  const { cause } = error;
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0]);
  return cause instanceof Error ? cause.message || cause.name : error.message;
}

const encode = (text: string): string => Buffer.from(text).toString('base64');
const encodeBytes = (bytes: Buffer): string => bytes.toString('base64');
const decode = (base64: string): string => Buffer.from(base64, 'base64').toString();

/** The first key behind all that start with `prefix`; no byte of UTF-8 text is 0xff. */
function endOf(prefix: string): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}
