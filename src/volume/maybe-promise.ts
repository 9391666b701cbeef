/**
 * A value, or the promise of it. Most small downloads wait for nothing, and a promise for every step from the token to the
 * last byte costs them more than the bytes do. For ways that are taken so often only: `await` reads better.
 */
export type MaybePromise<T> = T | Promise<T>;

/** The next step, on the value: at once when it is there. */
export function chain<T, Result>(
  value: MaybePromise<T>,
  step: (value: T) => MaybePromise<Result>,
): MaybePromise<Result> {
  return value instanceof Promise ? value.then(step) : step(value);
}

/** `try` and `finally`: runs `cleanup` when `work` has ended, however and whenever that is. */
export function cleaningUp<T>(
  work: () => MaybePromise<T>,
  cleanup: () => MaybePromise<void>,
): MaybePromise<T> {
  let result: MaybePromise<T>;
  try {
    result = work();
  } catch (error) {
    return chain(cleanup(), () => {
      throw error;
    });
  }
  return result instanceof Promise
    ? cleaningUpLater(result, cleanup)
    : chain(cleanup(), () => result);
}

async function cleaningUpLater<T>(work: Promise<T>, cleanup: () => MaybePromise<void>): Promise<T> {
  try {
    return await work;
  } finally {
    await cleanup();
  }
}
