import { AsyncLocalStorage } from 'node:async_hooks';

/** What is known about the request that the current code runs for. */
export interface RequestContext {
  readonly requestId: string;
  readonly plane: string;
  /** Address of the client, as far as trusted proxies vouch for it. */
  readonly peer: string;
  /** Name of the operation, once a route has matched. */
  operation?: string;
  /** Label of the manager secret that let the request in, for audit. */
  principal?: string;
  /** `error_code` of the answer, when it is an error. */
  errorCode?: string;
  /** Bytes written to the client's socket behind Node's back (`sendfile`). */
  bytesBesideNode: number;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** Runs `work`, and everything it starts, on behalf of a request. */
export function runInRequest<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work);
}

/** The current request, or `undefined` in background work. */
export function currentRequest(): RequestContext | undefined {
  return storage.getStore();
}
