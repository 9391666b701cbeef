import type { ClusterOptions, EtcdOptions } from '../../cluster/cluster-services.js';
import type { ValkeyTarget } from '../../cluster/valkey/valkey-target.js';
import type { Settings } from '../../config/settings.js';
import { installation } from '../installation.js';

/** The site's services as configured. */
export function clusterOptions(settings: Settings): ClusterOptions {
  return {
    nodeId: settings.storageProxy.nodeId,
    valkey: valkeyTarget(settings),
    etcd: etcdOptions(settings),
    uploadRegistry: settings.valkey.uploadRegistry,
    discovery: discovery(settings),
  };
}

export function etcdOptions({ etcd }: Settings): EtcdOptions | null {
  if (etcd === undefined) return null;
  const { namespace, addresses, user, password } = etcd;
  // Samples of the original write empty text for "none".
  return { namespace, addresses, user: user || null, password: password || null };
}

function valkeyTarget({ valkey, credentials }: Settings): ValkeyTarget | null {
  const { addr, sentinels, serviceName, username, sentinelPassword, tls } = valkey;
  if (addr === undefined && sentinels === undefined) return null;
  return {
    address: sentinels === undefined ? (addr ?? null) : null,
    sentinels: sentinels ?? [],
    serviceName: serviceName ?? null,
    username: username ?? null,
    password: credentials.valkeyPassword,
    sentinelPassword: sentinelPassword ?? null,
    tls,
    requestTimeoutMs: valkey.requestTimeoutMs,
  };
}

function discovery(settings: Settings): ClusterOptions['discovery'] {
  const { serviceDiscovery, storageProxy, api } = settings;
  if (serviceDiscovery === undefined) return null;
  return {
    kind: serviceDiscovery.type,
    facts: {
      nodeId: storageProxy.nodeId,
      version: installation.version,
      announced: api.manager.announceAddr,
      announcedInternal: api.manager.announceInternalAddr,
      displayName: serviceDiscovery.displayName ?? null,
      labels: serviceDiscovery.extraLabels,
    },
  };
}
