import type { ServerResponse } from 'node:http';

const counts = new WeakMap<ServerResponse, number>();

/** Counts bytes of an answer that were written to the client's socket behind Node's back (`sendfile`). */
export function countBytesBesideNode(response: ServerResponse, bytes: number): void {
  counts.set(response, bytesBesideNode(response) + bytes);
}

/** What was counted of the answer so far. */
export function bytesBesideNode(response: ServerResponse): number {
  return counts.get(response) ?? 0;
}
