import type { HostPort } from '../../grammar/host-port.js';
import { parseHostPort } from '../../grammar/host-port.js';
import { lenientBool } from '../../grammar/lenient.js';

/** Where a Valkey (or Redis) is and how to get in. */
export interface ValkeyTarget {
  /** The server; `null` when sentinels know who it is. */
  readonly address: HostPort | null;
  readonly sentinels: readonly HostPort[];
  /** What sentinels call the group of servers; set whenever there are sentinels. */
  readonly serviceName: string | null;
  readonly username: string | null;
  readonly password: string | null;
  readonly sentinelPassword: string | null;
  readonly tls: 'off' | 'verified' | 'unverified';
  /** How long one command may take. */
  readonly requestTimeoutMs: number;
}

/** What a connection is for; the protocol gives each its logical database (section 7.3). */
export const VALKEY_DATABASES = { statistics: 0, events: 4, uploads: 8 } as const;
export type ValkeyRole = keyof typeof VALKEY_DATABASES;

/** Targets by role, which may be different servers. */
export type ValkeyTargets = Readonly<Record<ValkeyRole, ValkeyTarget>>;

export const DEFAULT_REQUEST_TIMEOUT_MS = 5_000;

/** Role names of `override_configs` that are honoured; uploads and statistics use the base target. */
const OVERRIDES: Partial<Record<ValkeyRole, string>> = { events: 'stream' };

/** Something under `config/redis` that cannot be used. */
export class ValkeyConfigError extends Error {
  override readonly name = 'ValkeyConfigError';
}

/**
 * Reads what managers keep under `config/redis` in etcd: keys relative to that prefix, `addr`, `sentinel`,
 * `override_configs/stream/addr` and so on. `null` when no address is there.
 *
 * @throws ValkeyConfigError naming the key
 */
export function targetsFromKeys(keys: ReadonlyMap<string, string>): ValkeyTargets | null {
  const base = targetFromKeys(keys, '', null);
  if (base === null) return null;
  const override = (role: ValkeyRole): ValkeyTarget => {
    const name = OVERRIDES[role];
    if (name === undefined) return base;
    return targetFromKeys(keys, `override_configs/${name}/`, base) ?? base;
  };
  return { statistics: base, events: override('events'), uploads: base };
}

function targetFromKeys(
  keys: ReadonlyMap<string, string>,
  prefix: string,
  base: ValkeyTarget | null,
): ValkeyTarget | null {
  const text = (key: string): string | null => keys.get(prefix + key)?.trim() || null;
  const address = addresses(`${prefix}addr`, text('addr'))[0] ?? null;
  const sentinels = addresses(`${prefix}sentinel`, text('sentinel'));
  if (address === null && sentinels.length === 0) return null;
  const serviceName = text('service_name') ?? base?.serviceName ?? null;
  if (sentinels.length > 0 && serviceName === null) {
    throw new ValkeyConfigError(
      `config/redis/${prefix}service_name: missing, and sentinels need it`,
    );
  }
  const seconds = Number(text('request_timeout') ?? text('redis_helper_config/socket_timeout'));
  const usesTls = flag(`${prefix}use_tls`, text('use_tls'));
  return {
    // Sentinels win, as in the original: the address may be that of a server that was primary once.
    address: sentinels.length > 0 ? null : address,
    sentinels,
    serviceName,
    username: text('username'),
    password: text('password') ?? base?.password ?? null,
    sentinelPassword: text('sentinel_password') ?? base?.sentinelPassword ?? null,
    tls: !usesTls
      ? 'off'
      : flag('tls_skip_verify', text('tls_skip_verify'))
        ? 'unverified'
        : 'verified',
    requestTimeoutMs:
      Number.isFinite(seconds) && seconds > 0
        ? seconds * 1_000
        : (base?.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS),
  };
}

function addresses(key: string, text: string | null): HostPort[] {
  if (text === null) return [];
  try {
    return text.split(',').map((part) => parseHostPort(part));
  } catch {
    throw new ValkeyConfigError(`config/redis/${key}: must be "host:port", or several with commas`);
  }
}

function flag(key: string, text: string | null): boolean {
  if (text === null) return false;
  try {
    return lenientBool(text);
  } catch {
    throw new ValkeyConfigError(`config/redis/${key}: must be true or false`);
  }
}

/** For logs: where it is, without how to get in. */
export function describeTarget({ address, sentinels, serviceName }: ValkeyTarget): string {
  const text = ({ host, port }: HostPort): string => `${host}:${port}`;
  if (address !== null) return text(address);
  return `${serviceName} by sentinels ${sentinels.map(text).join(', ')}`;
}
