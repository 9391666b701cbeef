/** Runs one call that blocks a thread of the pool, when its turn has come; `signal` ends the waiting for it. */
export type BlockingCall = <Result>(
  work: () => Promise<Result>,
  signal?: AbortSignal,
) => Promise<Result>;
