import { GrammarError } from './grammar-error.js';

/** Where a listener binds, or a service is reached. An empty host means all interfaces. */
export interface HostPort {
  /** A name or address, IPv6 without brackets, or `''`. */
  readonly host: string;
  /** 0 lets the system choose, where the caller allows it. */
  readonly port: number;
}

const BRACKETED = /^\[(?<host>[0-9A-Fa-f:.%\w]*)\]:(?<port>\d+)$/;
const PLAIN = /^(?<host>[^:[\]\s]*):(?<port>\d+)$/;

/**
 * Reads `"host:port"` (IPv6 in brackets), `{ host, port }` or `[host, port]`.
 *
 * @throws GrammarError when the value has none of these shapes or the port is not 0…65535
 */
export function parseHostPort(value: unknown): HostPort {
  if (typeof value === 'string') {
    const match = PLAIN.exec(value.trim()) ?? BRACKETED.exec(value.trim());
    return hostPort(match?.groups?.['host'], match?.groups?.['port']);
  }
  if (Array.isArray(value) && value.length === 2) return hostPort(value[0], value[1]);
  if (typeof value === 'object' && value !== null && 'host' in value && 'port' in value) {
    if (Object.keys(value).length === 2) return hostPort(value.host, value.port);
  }
  throw malformed();
}

function hostPort(host: unknown, port: unknown): HostPort {
  const number = typeof port === 'string' && /^\d+$/.test(port) ? Number(port) : port;
  if (typeof host !== 'string' || typeof number !== 'number') throw malformed();
  if (!Number.isInteger(number) || number < 0 || number > 65_535) {
    throw new GrammarError('must have a port between 0 and 65535');
  }
  return { host, port: number };
}

function malformed(): GrammarError {
  return new GrammarError(
    'must be an address: "host:port", "[ipv6]:port", { host = "…", port = … } or ["host", port]',
  );
}

/** The text form, IPv6 in brackets; `parseHostPort` reads it back. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
