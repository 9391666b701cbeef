import { createHash } from 'node:crypto';
import { PurityClient, type PurityClientOptions } from './purity-client.js';

interface Shared {
  readonly client: PurityClient;
  users: number;
}

/** A client that several volumes may hold. */
export interface ClientLease {
  readonly client: PurityClient;
  /** Ends the session when nobody else uses it; may be called again, never rejects. */
  release(): Promise<void>;
}

/** One client, and so one login, for all volumes of this process that use the same array in the same way. */
export class SharedClients {
  readonly #shared = new Map<string, Shared>();

  lease(options: PurityClientOptions): ClientLease {
    const key = keyOf(options);
    const shared = this.#shared.get(key) ?? { client: new PurityClient(options), users: 0 };
    shared.users++;
    this.#shared.set(key, shared);
    let released = false;
    return {
      client: shared.client,
      release: async () => {
        if (released) return;
        released = true;
        if (--shared.users > 0) return;
        if (this.#shared.get(key) === shared) this.#shared.delete(key);
        await shared.client.close();
      },
    };
  }
}

function keyOf({
  endpoint,
  apiToken,
  version,
  verifyTls,
  ca,
  timeoutMs,
}: PurityClientOptions): string {
  const parts = [endpoint.href, apiToken, version, verifyTls, ca ?? null, timeoutMs];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
