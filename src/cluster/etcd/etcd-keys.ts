import type { EtcdClient } from './etcd-client.js';

const ROOT = '/sorna';
const NODE_SCOPE = 'nodes/storage';

/** A part of a key that holds text of a user, such as a proxy's name: percent-encoded as the original does. */
export function keyPart(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/**
 * The keys of one namespace as Backend.AI lays them out (protocol section 7.3): `/sorna/<namespace>/<key>`,
 * where what is set for a node, below `nodes/storage/<node-id>/`, wins over what is set for all.
 */
export class EtcdKeys {
  constructor(
    private readonly client: EtcdClient,
    private readonly namespace: string,
    private readonly nodeId: string,
  ) {}

  /** The value that is set for all; `null` without one. */
  async getGlobal(key: string): Promise<string | null> {
    return await this.client.get(this.globalKey(key));
  }

  /** What is below `prefix`, by the rest of each key; the node's values laid over the global ones. */
  async below(prefix: string): Promise<Map<string, string>> {
    const values = new Map<string, string>();
    for (const scope of [this.globalKey(`${prefix}/`), this.nodeKey(`${prefix}/`)]) {
      for (const [key, value] of await this.client.list(scope)) {
        values.set(key.slice(scope.length), value);
      }
    }
    return values;
  }

  /** Puts into the global scope. */
  async put(key: string, value: string, options: { ttlSeconds?: number } = {}): Promise<void> {
    await this.client.put(this.globalKey(key), value, options);
  }

  async removeBelow(prefix: string): Promise<void> {
    await this.client.deletePrefix(this.globalKey(`${prefix}/`));
  }

  /** The key as it is in etcd. */
  globalKey(key: string): string {
    return `${ROOT}/${this.namespace}/${key}`;
  }

  private nodeKey(key: string): string {
    return this.globalKey(`${NODE_SCOPE}/${keyPart(this.nodeId)}/${key}`);
  }
}
