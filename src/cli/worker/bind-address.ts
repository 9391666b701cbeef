import { networkInterfaces } from 'node:os';
import type { HostPort } from '../../grammar/host-port.js';

/** As long a queue as the kernel will give: connections of a whole cluster may arrive at once. */
const BACKLOG = 1024;

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
}

/** An empty host means every interface: both families on one socket, or IPv4 alone where there is no IPv6. */
export function listenAddress({ host, port }: HostPort): ListenAddress {
  return { host: host === '' ? everyInterface() : host, port, backlog: BACKLOG };
}

function everyInterface(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return addresses.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0';
}
