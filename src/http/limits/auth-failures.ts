import { isIPv6 } from 'node:net';

export interface AuthFailureOptions {
  /** Failures that one client may have in a row. */
  readonly burst: number;
  /** In this time (ms) the same number is forgiven. */
  readonly windowMs: number;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** Clients remembered. Beyond that the one not heard of for longest is forgotten, so that no flood fills the memory. */
const MAX_CLIENTS = 16_384;
/** A host may have all of its /64, so that is what counts as one client. */
const IPV6_NETWORK_GROUPS = 4;
const IPV6_GROUPS = 8;
/** Of what a proxy passes on as an address. */
const MAX_KEY_LENGTH = 64;

interface Client {
  failures: number;
  /** When `failures` was right. */
  at: number;
  /** Has authenticated before. */
  known: boolean;
}

/**
 * Counts failed authentications by client address, as a leaking bucket: so many at once, then one more whenever
 * one was forgiven. Whoever has authenticated from an address is not made to suffer for others behind it.
 */
export class AuthFailures {
  /** The least recently used first. */
  readonly #clients = new Map<string, Client>();
  readonly #now: () => number;

  constructor(private readonly options: AuthFailureOptions) {
    this.#now = options.now ?? (() => performance.now());
  }

  get size(): number {
    return this.#clients.size;
  }

  /** Takes a failure down. Seconds until the next is forgiven, when there were too many; else `undefined`. */
  failed(address: string): number | undefined {
    const client = this.touch(keyOf(address));
    const refused = this.refusal(client);
    if (refused === undefined) client.failures += 1;
    return refused;
  }

  /** Seconds until this client's next attempt is looked at; `undefined`: now. */
  retryAfter(address: string): number | undefined {
    const client = this.#clients.get(keyOf(address));
    if (client === undefined || client.known) return undefined;
    this.leak(client);
    return this.refusal(client);
  }

  succeeded(address: string): void {
    this.touch(keyOf(address)).known = true;
  }

  private refusal({ failures }: Client): number | undefined {
    const { burst, windowMs } = this.options;
    const surplus = failures + 1 - burst;
    return surplus <= 0 ? undefined : Math.max(1, Math.ceil((surplus * windowMs) / burst / 1000));
  }

  private touch(key: string): Client {
    const client = this.#clients.get(key) ?? { failures: 0, at: this.#now(), known: false };
    this.leak(client);
    this.#clients.delete(key);
    this.#clients.set(key, client);
    if (this.#clients.size > MAX_CLIENTS) {
      const [oldest] = this.#clients.keys();
      this.#clients.delete(oldest!);
    }
    return client;
  }

  private leak(client: Client): void {
    const { burst, windowMs } = this.options;
    const now = this.#now();
    client.failures = Math.max(0, client.failures - ((now - client.at) * burst) / windowMs);
    client.at = now;
  }
}

function keyOf(address: string): string {
  // Both of what follows is dear, and IPv4 has no colon.
  if (!address.includes(':')) return address.slice(0, MAX_KEY_LENGTH);
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain.slice(0, MAX_KEY_LENGTH);
  const [head = '', tail = ''] = plain.toLowerCase().replace(/%.*$/, '').split('::');
  const [before, behind] = [head, tail].map((part) =>
    part.split(':').filter((group) => group !== ''),
  );
  const zeros = Array.from(
    { length: Math.max(0, IPV6_GROUPS - before!.length - behind!.length) },
    () => '0',
  );
  return [...before!, ...zeros, ...behind!]
    .slice(0, IPV6_NETWORK_GROUPS)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
