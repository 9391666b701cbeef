import { Inject, Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import { isDirectory, isRegularFile } from '../../native/stat.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { DownloadBases } from '../downloads/download-bases.js';
import type { RelPath } from '../ids/relpath.js';
import type { ArchiveGrant } from '../tokens/transfer-tokens.js';
import { ArchiveDownload } from './archive-download.js';
import type { ArchiveMember } from './archive-members.js';

const DEFAULT_FILENAME = 'archive.zip';

/** Archives of several files and directories of a vfolder (protocol section 4.4). Whoever opens one closes it. */
@Injectable()
export class Archives {
  constructor(
    private readonly bases: DownloadBases,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
  ) {}

  /**
   * Checks that everything listed is there; the content is found while the archive is sent. Names in the
   * archive are relative to the vfolder.
   *
   * @throws StorageError NOT_FOUND with subject `volume`, `vfolder` or `entry`; OUTSIDE_VFOLDER for a link
   *   that leads out; NOT_A_FILE
   */
  async open(grant: ArchiveGrant): Promise<ArchiveDownload> {
    const base = this.bases.find(grant.ref, null);
    return base.volume.acquire(
      'download-archive',
      async () => {
        const root = await base.open();
        try {
          return new ArchiveDownload({
            base,
            root,
            filename: Buffer.from(grant.filename ?? DEFAULT_FILENAME),
            members: await findMembers(root, grant.files),
            ...this.settings.downloads,
          });
        } catch (error) {
          root.close();
          throw error;
        }
      },
      (unwanted) => unwanted.close(),
    );
  }
}

async function findMembers(root: Beneath, files: readonly RelPath[]): Promise<ArchiveMember[]> {
  const members: ArchiveMember[] = [];
  for (const path of withoutOverlaps(files)) {
    const stat = await root.followedStat(path.toBytes()).catch((error: unknown) => {
      throw memberError(error, path);
    });
    if (path.isRoot) {
      members.push({ path: path.toBytes(), name: Buffer.alloc(0) });
    } else if (isDirectory(stat) || isRegularFile(stat)) {
      members.push({ path: path.toBytes(), name: path.toBytes(), stat });
    } else {
      throw new StorageError('NOT_A_FILE', undefined, detailsOf(path));
    }
  }
  return members;
}

/** What is listed twice, or lies below something listed, comes once. */
export function withoutOverlaps(files: readonly RelPath[]): RelPath[] {
  const unique = new Map(files.map((path) => [path.toString(), path]));
  return [...unique.values()].filter((path) => {
    for (let above = path; !above.isRoot;) {
      above = above.parent();
      if (unique.has(above.toString())) return false;
    }
    return true;
  });
}

function memberError(error: unknown, path: RelPath): unknown {
  const options = { cause: error };
  if (isErrno(error, Errno.ENOENT, Errno.ENOTDIR)) {
    const message = `File not found: ${path.toString()}`;
    return new StorageError('NOT_FOUND', message, detailsOf(path), options);
  }
  if (isErrno(error, Errno.EXDEV, Errno.ELOOP)) {
    const message = `Path escapes vfolder boundary: ${path.toString()}`;
    return new StorageError('OUTSIDE_VFOLDER', message, detailsOf(path), options);
  }
  return fromSystemError(error, detailsOf(path));
}

function detailsOf(path: RelPath): { subject: 'entry'; paths: string[] } {
  return { subject: 'entry', paths: [path.toString()] };
}
