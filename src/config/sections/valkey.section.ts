import type { HostPort } from '../../grammar/host-port.js';
import { Section, Setting } from '../../grammar/section/setting.js';
import {
  addresses,
  address,
  duration,
  flag,
  oneOf,
  path,
  text,
} from '../../grammar/section/value-type.js';

/** `[valkey]`: the site's Valkey (or Redis) for those who do not want to look it up in etcd. */
@Section({ ours: true })
export class ValkeySection {
  @Setting('addr', 'Address of the server. Without it and `sentinels`, etcd is asked.', address(), {
    example: '127.0.0.1:6379',
  })
  readonly addr?: HostPort;

  @Setting('sentinels', 'Addresses of sentinels, instead of `addr`.', addresses(), {
    example: ['10.0.0.11:26379', '10.0.0.12:26379'],
  })
  readonly sentinels?: readonly HostPort[];

  @Setting('service-name', 'What the sentinels call the group of servers.', text(), {
    example: 'mymaster',
  })
  readonly serviceName?: string;

  @Setting('username', 'User of the access control list.', text(), { example: 'storage-proxy' })
  readonly username?: string;

  @Setting('password', 'Password.', text(), { secret: true, example: 'valkey-password' })
  readonly password?: string;

  @Setting(
    'password-file',
    'File that holds the password; a line end behind it is ignored.',
    path(),
    {
      example: '/run/secrets/valkey-password',
    },
  )
  readonly passwordFile?: string;

  @Setting('sentinel-password', 'Password of the sentinels.', text(), {
    secret: true,
    example: 'sentinel-password',
  })
  readonly sentinelPassword?: string;

  @Setting(
    'tls',
    'Whether connections are encrypted, and the certificate verified.',
    oneOf('off', 'verified', 'unverified'),
    {
      default: 'off',
    },
  )
  readonly tls!: 'off' | 'verified' | 'unverified';

  @Setting('request-timeout', 'How long one command may take.', duration({ min: 100 }), {
    default: '5s',
  })
  readonly requestTimeoutMs!: number;

  @Setting(
    'upload-registry',
    'Keep offsets and leases of uploads in Valkey, when there is one, as the original does: needed while proxies of both kinds serve the same volumes, and on filesystems whose locks do not reach other hosts. Uploads then need Valkey.',
    flag(),
    { default: true },
  )
  readonly uploadRegistry!: boolean;
}
