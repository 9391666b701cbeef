import { fromSystemError } from '../../errors/from-system-error.js';
import { StorageError, type ErrorDetails } from '../../errors/storage-error.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';

/** A failure at one or two paths of a vfolder, with names relative to it and never those of the host (S14). */
export function entryError(error: unknown, ref: VFolderRef, ...paths: RelPath[]): unknown {
  return fromSystemError(error, detailsOf(ref, paths));
}

/** What the caller asked for cannot be done with these paths. */
export function invalidEntry(message: string, ref: VFolderRef, ...paths: RelPath[]): StorageError {
  return new StorageError('INVALID_ARGUMENT', message, detailsOf(ref, paths));
}

export function outsideVFolder(ref: VFolderRef, path: RelPath): StorageError {
  return new StorageError('OUTSIDE_VFOLDER', undefined, detailsOf(ref, [path]));
}

/** `.upload` belongs to the proxy: whatever acts on an entry refuses it, not only the edge. */
export function assertNotReserved(ref: VFolderRef, ...paths: RelPath[]): void {
  const reserved = paths.find((path) => path.isReserved);
  if (reserved) throw invalidEntry('the path is reserved for running uploads', ref, reserved);
}

function detailsOf(ref: VFolderRef, paths: RelPath[]): ErrorDetails {
  return {
    subject: 'entry',
    volume: ref.volume,
    vfid: ref.id.toString(),
    paths: paths.map((path) => path.toString()),
  };
}
