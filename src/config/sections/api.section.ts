import type { HostPort } from '../../grammar/host-port.js';
import { Setting, Table } from '../../grammar/section/setting.js';
import { address, flag, path, text } from '../../grammar/section/value-type.js';

/** `[api.client]` */
export class ClientApiSection {
  @Setting(
    'service-addr',
    'Where the client plane listens. An empty host means all interfaces.',
    address(),
    {
      default: '127.0.0.1:6021',
    },
  )
  readonly serviceAddr!: HostPort;

  @Setting('ssl-enabled', 'Serve HTTPS on this plane.', flag(), { default: false })
  readonly sslEnabled!: boolean;

  @Setting(
    'ssl-cert',
    'Certificate chain in PEM. Needed with `ssl-enabled`; read again on SIGHUP.',
    path(),
    { example: '/etc/backend.ai/tls/client.crt' },
  )
  readonly sslCert?: string;

  @Setting(
    'ssl-privkey',
    'Private key in PEM. Needed with `ssl-enabled`; read again on SIGHUP.',
    path(),
    { example: '/etc/backend.ai/tls/client.key' },
  )
  readonly sslPrivkey?: string;
}

/** `[api.manager]` */
export class ManagerApiSection {
  @Setting(
    'service-addr',
    'Where the manager plane listens. An empty host means all interfaces.',
    address(),
    { default: '127.0.0.1:6022' },
  )
  readonly serviceAddr!: HostPort;

  @Setting('ssl-enabled', 'Serve HTTPS on this plane.', flag(), { default: false })
  readonly sslEnabled!: boolean;

  @Setting(
    'ssl-cert',
    'Certificate chain in PEM. Needed with `ssl-enabled`; read again on SIGHUP.',
    path(),
    { example: '/etc/backend.ai/tls/manager.crt' },
  )
  readonly sslCert?: string;

  @Setting(
    'ssl-privkey',
    'Private key in PEM. Needed with `ssl-enabled`; read again on SIGHUP.',
    path(),
    { example: '/etc/backend.ai/tls/manager.key' },
  )
  readonly sslPrivkey?: string;

  @Setting(
    'secret',
    'The shared secret that managers send in `X-BackendAI-Storage-Auth-Token`; equal to `volumes/proxies/<proxy>/secret` in etcd. May be left out when `[secrets]` has one.',
    text(),
    { secret: true, example: 'some-secret-shared-with-manager', inSample: true },
  )
  readonly secret?: string;

  @Setting(
    'internal-addr',
    'Where metrics and health are served, without authentication: keep it off public networks.',
    address(),
    { default: '127.0.0.1:16023' },
  )
  readonly internalAddr!: HostPort;

  @Setting(
    'announce-addr',
    'Where others reach this plane: for service discovery, and the URL that `register` proposes.',
    address(),
    {
      default: '127.0.0.1:6022',
    },
  )
  readonly announceAddr!: HostPort;

  @Setting(
    'announce-internal-addr',
    'Where others reach the internal listener: for service discovery.',
    address(),
    {
      default: 'host.docker.internal:6023',
    },
  )
  readonly announceInternalAddr!: HostPort;
}

/** `[api]` */
export class ApiSection {
  @Table('client', 'The client plane: uploads and downloads by token.', ClientApiSection)
  readonly client!: ClientApiSection;

  @Table('manager', 'The manager plane, and the internal listener.', ManagerApiSection)
  readonly manager!: ManagerApiSection;
}
