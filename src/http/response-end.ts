import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

type Callback = () => void;

/** Where a response keeps what to call at its end: a WeakMap of short-lived things burdens the garbage collector. */
const CALLBACKS = Symbol('called at the end');

interface WatchedResponse extends ServerResponse {
  [CALLBACKS]?: Callback[];
}

/** By socket, the ends of its responses. */
const watchers = new WeakMap<Socket, Set<Callback>>();

/**
 * Calls back once when a response is over, complete or not. The `close` event alone is not enough: the
 * response of a pipelined request never closes when the connection breaks before its turn.
 */
export function onResponseEnd(
  response: WatchedResponse,
  socket: Socket,
  callback: () => void,
): void {
  const known = response[CALLBACKS];
  if (known) known.push(callback);
  else response[CALLBACKS] = watchResponse(response, socket, callback);
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
