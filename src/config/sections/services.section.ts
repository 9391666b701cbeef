import { Setting } from '../../grammar/section/setting.js';
import {
  address,
  anything,
  either,
  flag,
  listOf,
  optionalText,
  text,
} from '../../grammar/section/value-type.js';

/** `[etcd]`: where the original finds its Valkey. */
export class EtcdSection {
  @Setting('namespace', 'Prefix of all keys.', text(), { default: 'local' })
  readonly namespace?: never;
  @Setting('addr', 'Address, or a list of them.', either(address(), listOf(address())), {
    default: '127.0.0.1:2379',
  })
  readonly addr?: never;
  @Setting('user', 'User.', optionalText(), { example: 'storage-proxy' })
  readonly user?: never;
  @Setting('password', 'Password.', optionalText(), { secret: true, example: 'etcd-password' })
  readonly password?: never;
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
  @Setting('type', 'Registry.', anything(), { default: 'redis' })
  readonly type?: never;
  @Setting('instance-id', 'Id.', anything(), { example: 'storage-proxy-01' })
  readonly instanceId?: never;
  @Setting('service-group', 'Group.', anything(), { example: 'storage-proxy' })
  readonly serviceGroup?: never;
  @Setting('display-name', 'Name.', anything(), { example: 'storage-proxy-01' })
  readonly displayName?: never;
  @Setting('extra-labels', 'Labels.', anything(), { example: {} })
  readonly extraLabels?: never;
  @Setting('endpoints', 'Endpoints.', anything(), { example: [] })
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
