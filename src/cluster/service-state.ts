/** How a service that the proxies of a site share is, as this process reaches it. */
export interface ServiceState {
  /** As the original names it: `etcd`, or `redis` whatever the server is. */
  readonly group: 'etcd' | 'redis';
  readonly id: string;
  readonly healthy: boolean;
  /** What is wrong, or what being without means; `null` when there is nothing to say. */
  readonly message: string | null;
  readonly checkedAt: Date;
}
