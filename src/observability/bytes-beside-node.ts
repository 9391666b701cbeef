import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

const written = new WeakMap<ServerResponse, number>();
const read = new WeakMap<Socket, number>();

/** Counts bytes of an answer that were written to the client's socket behind Node's back (`sendfile`). */
export function countBytesBesideNode(response: ServerResponse, bytes: number): void {
  written.set(response, bytesBesideNode(response) + bytes);
}

/** What was counted of the answer so far. */
export function bytesBesideNode(response: ServerResponse): number {
  return written.get(response) ?? 0;
}

/** Counts bytes that a client sent on a connection and that were read from it behind Node's back. */
export function countReadBesideNode(socket: Socket, bytes: number): void {
  read.set(socket, readBesideNode(socket) + bytes);
}

/** What was counted of the connection so far. */
export function readBesideNode(socket: Socket): number {
  return read.get(socket) ?? 0;
}
