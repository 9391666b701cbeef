import { statfsSync } from 'node:fs';
import { sync } from '../../native/calls.js';
import { Errno, isErrno } from '../../native/errno.js';
import {
  openLocation,
  openLocationParent,
  openParent,
  openWithin,
  withRoot,
  type OpenableVolume,
} from './locations.js';
import type { TreeOrder, TreeVolume } from './tree-protocol.js';
import type { Pace, Walk } from './walk.js';
import { attributes } from './walks/attributes.js';
import { copy } from './walks/copy.js';
import { list } from './walks/list.js';
import { remove } from './walks/remove.js';
import { scan } from './walks/scan.js';
import { usage } from './walks/usage.js';

/** statfs(2) `f_type` of FUSE, where syncfs(2) does not reach the server. */
const FUSE_SUPER_MAGIC = 0x65735546;
/**
 * The same of NFS. There syncfs(2) also tells of what somebody else's file lost in a full server, once, to whoever asks
 * first; names are durable when they are made.
 */
const NFS_SUPER_MAGIC = 0x6969;

type Order<Kind extends TreeOrder['kind']> = Extract<TreeOrder, { kind: Kind }>;

/** As it came from another thread. */
export function treeVolume({ reservedNames, ...volume }: TreeVolume): OpenableVolume {
  return { ...volume, reservedNames: reservedNames.map(bytes) };
}

/** The walk that carries out an order on the volume. Nothing is opened before its first step. */
export function* begin(volume: OpenableVolume, order: TreeOrder, pace: Pace): Walk<unknown> {
  pace.hidden = volume.reservedNames;
  return yield* open(volume, order, pace);
}

function open(volume: OpenableVolume, order: TreeOrder, pace: Pace): Walk<unknown> {
  switch (order.kind) {
    case 'list': {
      const fd = openWithin(volume, bytes(order.root), bytes(order.path));
      return list(fd, { ...order, omit: order.omit.map(bytes) }, pace);
    }
    case 'scan': {
      const fd = openWithin(volume, bytes(order.root), bytes(order.path));
      return scan(fd, pace, { ...order, omit: order.omit.map(bytes) });
    }
    case 'usage':
      return usage(openLocation(volume, bytes(order.path)), pace, {
        ...order,
        omit: order.omit.map(bytes),
      });
    case 'attributes':
      return attributes(openLocation(volume, bytes(order.path)), order.names);
    case 'copy':
      return beginCopy(volume, order, pace);
    case 'remove':
      return beginRemove(order.keepDirectory, pace, () =>
        openLocationParent(volume, bytes(order.path)),
      );
    case 'remove-entry':
      return beginRemove(false, pace, () =>
        withRoot(volume, bytes(order.root), (root) => openParent(volume, root, bytes(order.path))),
      );
  }
}

function beginCopy(volume: OpenableVolume, order: Order<'copy'>, pace: Pace): Walk<void> {
  const { destinationVolumePath: elsewhere } = order;
  const destinationVolume =
    elsewhere === undefined ? volume : { path: elsewhere, reservedNames: volume.reservedNames };
  const source = openLocation(volume, bytes(order.source));
  try {
    const { parent, name } = openLocationParent(destinationVolume, bytes(order.destination));
    const { type } = statfsSync(`/proc/self/fd/${parent}`);
    const plan = {
      source,
      destinationParent: parent,
      destinationName: name,
      omit: order.omit.map(bytes),
      syncFiles: order.durable && (type === FUSE_SUPER_MAGIC || type === NFS_SUPER_MAGIC),
      syncFilesystem: order.durable && type !== NFS_SUPER_MAGIC,
    };
    return copy(plan, pace);
  } catch (error) {
    sync.close(source);
    throw error;
  }
}

function* beginRemove(
  keepDirectory: boolean,
  pace: Pace,
  open: () => { parent: number; name: Buffer },
): Walk<void> {
  let opened: { parent: number; name: Buffer };
  try {
    opened = open();
  } catch (error) {
    // Nothing there is what was asked for.
    if (isErrno(error, Errno.ENOENT)) return;
    throw error;
  }
  yield* remove(opened.parent, opened.name, keepDirectory, pace);
}

function bytes(array: Uint8Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength);
}
