import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const watchers = new WeakMap<Socket, Set<() => void>>();

/**
 * Calls back once when a response is over, complete or not. The `close` event alone is not enough: the
 * response of a pipelined request never closes when the connection breaks before its turn.
 */
export function onResponseEnd(
  response: ServerResponse,
  socket: Socket,
  callback: () => void,
): void {
  const callbacks = watch(socket);
  const end = (): void => {
    if (callbacks.delete(end)) callback();
  };
  callbacks.add(end);
  response.once('close', end);
}

/** One listener a socket, however many requests a keep-alive connection carries. */
function watch(socket: Socket): Set<() => void> {
  const known = watchers.get(socket);
  if (known) return known;
  const callbacks = new Set<() => void>();
  watchers.set(socket, callbacks);
  socket.once('close', () => [...callbacks].forEach((call) => call()));
  return callbacks;
}
