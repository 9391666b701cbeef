import type { HostPort } from '../../grammar/host-port.js';
import { Setting } from '../../grammar/section/setting.js';
import {
  addresses,
  anything,
  flag,
  oneOf,
  optionalText,
  record,
  text,
} from '../../grammar/section/value-type.js';

/** `[etcd]`: where the site keeps what its parts have to know of each other, the address of its Valkey first. */
export class EtcdSection {
  @Setting('namespace', 'Prefix of all keys of the site.', text(), { default: 'local' })
  readonly namespace!: string;

  @Setting('addr', 'Address of etcd, or a list of them.', addresses(), {
    default: '127.0.0.1:2379',
  })
  readonly addresses!: readonly HostPort[];

  @Setting('user', 'User, when etcd asks for one.', optionalText(), { example: 'storage-proxy' })
  readonly user?: string;

  @Setting('password', 'Password of that user.', optionalText(), {
    secret: true,
    example: 'etcd-password',
  })
  readonly password?: string;
}

/** `[pyroscope]` */
export class PyroscopeSection {
  @Setting('enabled', 'Profiling of the Python process.', flag(), { default: false })
  readonly enabled?: never;
  @Setting('app-name', 'Name.', anything(), { example: 'storage-proxy' })
  readonly appName?: never;
  @Setting('server-addr', 'Server.', anything(), { example: 'http://localhost:4040' })
  readonly serverAddr?: never;
  @Setting('sample-rate', 'Samples a second.', anything(), { example: 100 })
  readonly sampleRate?: never;
}

/** `[otel]` */
export class OtelSection {
  @Setting('enabled', 'Export of traces and logs.', flag(), { default: false })
  readonly enabled?: never;
  @Setting('log-level', 'Level.', anything(), { default: 'INFO' })
  readonly logLevel?: never;
  @Setting('endpoint', 'Collector.', anything(), { default: 'http://localhost:4317' })
  readonly endpoint?: never;
  @Setting('max-queue-size', 'Queue.', anything(), { default: 65536 })
  readonly maxQueueSize?: never;
  @Setting('max-export-batch-size', 'Batch.', anything(), { default: 4096 })
  readonly maxExportBatchSize?: never;
}

/** `[service-discovery]` */
export class ServiceDiscoverySection {
  @Setting(
    'type',
    'Where the registration is kept: in Valkey or in etcd.',
    oneOf('redis', 'etcd'),
    {
      default: 'redis',
    },
  )
  readonly type!: 'redis' | 'etcd';

  @Setting('display-name', 'Name to show.', text(), {
    defaultText: '`storage-<node-id>`',
    example: 'storage-proxy-01',
  })
  readonly displayName?: string;

  @Setting('extra-labels', 'Labels for whoever scrapes metrics.', record(), {
    default: {},
    example: { rack: 'a1' },
  })
  readonly extraLabels!: Readonly<Record<string, unknown>>;

  @Setting('instance-id', 'Id in another registry of the original.', anything(), {
    example: 'storage-proxy-01',
    unused: true,
  })
  readonly instanceId?: never;

  @Setting('service-group', 'Group in another registry of the original.', anything(), {
    example: 'storage-proxy',
    unused: true,
  })
  readonly serviceGroup?: never;

  @Setting('endpoints', 'Endpoints in another registry of the original.', anything(), {
    example: [],
    unused: true,
  })
  readonly endpoints?: never;
}

/** `[reservoir-client]` */
export class ReservoirClientSection {
  @Setting('timeout-total', 'Whole request.', anything(), { default: 300 })
  readonly timeoutTotal?: never;
  @Setting('timeout-connect', 'Connection from the pool.', anything(), { example: 30 })
  readonly timeoutConnect?: never;
  @Setting('timeout-sock-connect', 'Connection of the socket.', anything(), { default: 30 })
  readonly timeoutSockConnect?: never;
  @Setting('timeout-sock-read', 'Between two reads.', anything(), { example: 30 })
  readonly timeoutSockRead?: never;
}
