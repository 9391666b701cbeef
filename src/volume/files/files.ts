import { Inject, Injectable } from '@nestjs/common';
import { StorageError } from '../../errors/storage-error.js';
import { Errno, isErrno } from '../../native/errno.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { FileDeletionJobs } from '../jobs/file-deletion.js';
import type { JobId } from '../jobs/job.js';
import { VolumeRegistry } from '../volume-registry.js';
import { deleteEntries, deleteTrees, planDeletion } from './delete.js';
import { assertNotReserved, entryError } from './entry-error.js';
import { listDirectory, type FileListing, type PageRequest, type RenderEntry } from './listing.js';
import { makeDirectories, type MkdirOptions, type MkdirResult } from './mkdir.js';
import { moveEntry, renameEntry } from './move.js';
import { tellingFullQuota } from '../full-quota.js';
import { transplant } from './transplant.js';
import { openedFile, type OpenedFile } from './opened-file.js';

/** What opening a socket or an unconnected device answers; EINVAL is what Beneath says of other special files. */
const ENXIO = 6;

/**
 * Operations on entries inside a vfolder. All throw NOT_FOUND with subject `vfolder` when it is missing,
 * OUTSIDE_VFOLDER for a path that leaves it (by a symlink too), and for failed system calls the error of the
 * errno with subject `entry` and the paths concerned, relative to the vfolder.
 */
@Injectable()
export class Files {
  constructor(
    private readonly registry: VolumeRegistry,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
    private readonly deletionJobs: FileDeletionJobs,
  ) {}

  /** Attempts each path; failures are in the results, in the order of the paths. */
  async mkdir(
    ref: VFolderRef,
    paths: readonly RelPath[],
    options: MkdirOptions,
  ): Promise<MkdirResult[]> {
    const volume = this.registry.get(ref.volume);
    return await volume.withVFolder('file.mkdir', ref.id, (vfolder) =>
      makeDirectories(vfolder, ref, paths, options),
    );
  }

  /**
   * One directory or a page of it, at most `scandir-limit` entries; each as `render` has it.
   *
   * @throws StorageError INVALID_ARGUMENT for a cursor that is none
   */
  list(ref: VFolderRef, path: RelPath, page?: PageRequest): Promise<FileListing>;
  list<Item>(
    ref: VFolderRef,
    path: RelPath,
    page: PageRequest,
    render: RenderEntry<Item>,
  ): Promise<FileListing<Item>>;
  async list(
    ref: VFolderRef,
    path: RelPath,
    page: PageRequest = { limit: 0, order: 'directory' },
    render: RenderEntry<unknown> = (entry) => entry,
  ): Promise<FileListing<unknown>> {
    const volume = this.registry.get(ref.volume);
    const options = { most: this.settings.scandirLimit, render };
    return await volume.run('file.list', () => listDirectory(volume, ref, path, page, options));
  }

  /**
   * Gives the entry another name in the same directory.
   *
   * @throws StorageError ALREADY_EXISTS when something has that name: renaming never destroys
   */
  async rename(ref: VFolderRef, path: RelPath, newName: string): Promise<void> {
    const name = RelPath.parseName(newName);
    const volume = this.registry.get(ref.volume);
    await volume.withVFolder('file.rename', ref.id, (vfolder) =>
      renameEntry(vfolder, ref, path, name),
    );
  }

  /**
   * Moves an entry: into `destination` when that is a directory, else to that name, replacing a file. Across a border of
   * quotas it is copied, however long that takes.
   *
   * @throws StorageError ALREADY_EXISTS when the directory moved into has an entry of that name;
   *   INVALID_ARGUMENT for a directory into itself
   */
  async move(ref: VFolderRef, path: RelPath, destination: RelPath): Promise<void> {
    const volume = this.registry.get(ref.volume);
    const border = await volume.withVFolder('file.move', ref.id, (vfolder) =>
      moveEntry(vfolder, ref, path, destination),
    );
    if (border === null) return;
    try {
      await tellingFullQuota(volume, ref.id, () => transplant(volume, ref, border));
    } catch (error) {
      throw entryError(error, ref, path, destination);
    }
  }

  /**
   * Deletes entries, links themselves, and with `recursive` directories with their content. Nothing is
   * deleted when any of the paths is refused. May be repeated.
   */
  async delete(ref: VFolderRef, paths: readonly RelPath[], recursive: boolean): Promise<void> {
    const volume = this.registry.get(ref.volume);
    const trees = await volume.withVFolder('file.delete', ref.id, async (vfolder) => {
      const plan = await planDeletion(vfolder, ref, paths, recursive);
      await deleteEntries(vfolder, ref, plan.entries);
      return plan.trees;
    });
    await deleteTrees(volume, ref, trees);
  }

  /** The same by a job; see {@link FileDeletionJobs.start}. */
  deleteAsync(ref: VFolderRef, paths: readonly RelPath[], recursive: boolean): Promise<JobId> {
    return this.deletionJobs.start(ref, paths, recursive);
  }

  /**
   * Opens a regular file for reading; links that stay inside are followed.
   *
   * @throws StorageError IS_A_DIRECTORY, NOT_A_FILE
   */
  async open(ref: VFolderRef, path: RelPath): Promise<OpenedFile> {
    assertNotReserved(ref, path);
    const volume = this.registry.get(ref.volume);
    return await volume.acquire(
      'file.fetch',
      async () => {
        using vfolder = await volume.openVFolder(ref.id);
        try {
          return openedFile(volume, await vfolder.openFile(path.toBytes(), { follow: true }));
        } catch (error) {
          throw isErrno(error, Errno.EINVAL, ENXIO)
            ? notAFile(ref, path)
            : entryError(error, ref, path);
        }
      },
      (file) => file.close(),
    );
  }
}

function notAFile(ref: VFolderRef, path: RelPath): StorageError {
  return new StorageError('NOT_A_FILE', undefined, {
    subject: 'entry',
    vfid: ref.id.toString(),
    paths: [path.toString()],
  });
}
