import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Callback = () => void;

/** By response, what to call at its end; by socket, the ends of its responses. */
const callbacks = new WeakMap<ServerResponse, Callback[]>();
const watchers = new WeakMap<Socket, Set<Callback>>();

/**
 * Calls back once when a response is over, complete or not. The `close` event alone is not enough: the
 * response of a pipelined request never closes when the connection breaks before its turn.
 */
export function onResponseEnd(
  response: ServerResponse,
  socket: Socket,
  callback: () => void,
): void {
  const known = callbacks.get(response);
  if (known) known.push(callback);
  else callbacks.set(response, watchResponse(response, socket, callback));
}

/** One listener a response, however many want to know. */
function watchResponse(response: ServerResponse, socket: Socket, first: Callback): Callback[] {
  const called = [first];
  const ends = watchSocket(socket);
  const end = (): void => {
    if (ends.delete(end)) called.forEach((callback) => callback());
  };
  ends.add(end);
  response.once('close', end);
  return called;
}

/** One listener a socket, however many requests a keep-alive connection carries. */
function watchSocket(socket: Socket): Set<Callback> {
  const known = watchers.get(socket);
  if (known) return known;
  const ends = new Set<Callback>();
  watchers.set(socket, ends);
  socket.once('close', () => [...ends].forEach((end) => end()));
  return ends;
}
