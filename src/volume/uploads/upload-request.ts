import type { ErrorDetails } from '../../errors/storage-error.js';
import { StorageError } from '../../errors/storage-error.js';
import { UPLOAD_DIRECTORY } from '../ids/layout.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';

/** One upload as a verified token and the client describe it. */
export interface UploadRequest {
  readonly ref: VFolderRef;
  readonly session: string;
  /** Declared size of the whole file. */
  readonly sizeBytes: number;
  /** Where the file goes: the token's path, below the client's `dst_dir` if it gave one. */
  readonly target: RelPath;
}

/** What errors about the target say of it. */
export function targetDetails(ref: VFolderRef, target: RelPath): ErrorDetails {
  const path = target.toString();
  return {
    subject: 'entry',
    volume: ref.volume,
    vfid: ref.id.toString(),
    subpath: path,
    paths: [path],
  };
}

export function noSuchUpload(): StorageError {
  return new StorageError('NOT_FOUND', 'No such upload session', { subject: 'upload' });
}

export function uploadHeld(): StorageError {
  return new StorageError('LOCKED', undefined, { subject: 'upload', reason: 'lease-held' });
}

export function uploadTakenOver(): StorageError {
  return new StorageError('LOCKED', undefined, { subject: 'upload', reason: 'lease-lost' });
}

/** @param sizeBytes what the upload may hold */
export function tooManyBytes(sizeBytes: number): StorageError {
  return new StorageError(
    'TOO_LARGE',
    `The body goes beyond the upload's declared size of ${sizeBytes} bytes`,
    { subject: 'upload' },
  );
}

/** @throws StorageError INVALID_ARGUMENT for a file among the staging files */
export function assertNotReserved(target: RelPath): void {
  if (!target.isReserved) return;
  throw new StorageError(
    'INVALID_ARGUMENT',
    `"${UPLOAD_DIRECTORY}" is reserved for running uploads`,
    { subject: 'entry', paths: [target.toString()] },
  );
}
