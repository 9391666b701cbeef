import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { RelPath } from '../../volume/ids/relpath.js';
import type { VFolderId } from '../../volume/ids/vfolder-id.js';
import type { UploadGrant } from '../../volume/tokens/transfer-tokens.js';
import type { UploadRequest } from '../../volume/uploads/upload-request.js';

/**
 * The upload that a verified token and the client's `dst_dir` describe. The token does not cover `dst_dir`,
 * so it is confined to the vfolder like any path from outside.
 *
 * @throws StorageError OUTSIDE_VFOLDER, or INVALID_ARGUMENT naming `dst_dir`
 */
export function uploadRequest(grant: UploadGrant, destination: string | undefined): UploadRequest {
  const { ref, session, sizeBytes, path } = grant;
  if (destination === undefined) return { ref, session, sizeBytes, target: path };
  // The generation of unscoped ids knows no `dst_dir` and refuses it like any unknown parameter.
  if (ref.id.scope === null) throw refused('dst_dir is not allowed key');
  return { ref, session, sizeBytes, target: below(destination, path, ref.id) };
}

function below(destination: string, path: RelPath, vfid: VFolderId): RelPath {
  try {
    return RelPath.parseClient(destination).join(path);
  } catch (error) {
    if (isStorageError(error, 'INVALID_ARGUMENT')) throw refused(error.message);
    if (!isStorageError(error, 'OUTSIDE_VFOLDER')) throw error;
    throw new StorageError('OUTSIDE_VFOLDER', undefined, {
      ...error.details,
      vfid: vfid.toString(),
    });
  }
}

function refused(reason: string): StorageError {
  return new StorageError('INVALID_ARGUMENT', `Invalid API parameters: dst_dir: ${reason}`, {
    subject: 'request',
    data: { dst_dir: reason },
  });
}
