import { encode } from '@msgpack/msgpack';
import type { ClusterEvent } from './event.js';

/** What every event of a storage proxy names as its source; not the node. */
const SOURCE = 'storage';

/**
 * The fields of a stream entry, name after value (protocol section 8.3). Managers up to 26.8 read `args`,
 * later ones `payload`, and neither looks at the other's, so both are always there. `metadata` is left out:
 * it is optional everywhere, and older managers refuse members of it that they do not know.
 */
export function streamFields(event: ClusterEvent): (string | Buffer)[] {
  return [
    ['name', event.name],
    ['source', SOURCE],
    ['payload', payload(event)],
    ['args', args(event)],
  ].flat();
}

/** The text of a broadcast, and of the value that late watchers find. */
export function broadcastText(event: ClusterEvent): string {
  return JSON.stringify({
    name: event.name,
    source: SOURCE,
    payload: payload(event),
    args: args(event).toString('base64'),
  });
}

function payload({ members }: ClusterEvent): string {
  return JSON.stringify(Object.fromEntries(members));
}

/** Positional; numbers are floats, which is what the original's numbers of progress are. */
function args({ members }: ClusterEvent): Buffer {
  const bytes = encode(
    members.map(([, value]) => value),
    { forceIntegerToFloat: true },
  );
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
