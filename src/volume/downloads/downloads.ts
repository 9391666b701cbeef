import { Inject, Injectable } from '@nestjs/common';
import { fromSystemError } from '../../errors/from-system-error.js';
import { isStorageError, StorageError } from '../../errors/storage-error.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { OpenFile } from '../../native/open-file.js';
import { ArchiveDownload } from '../archives/archive-download.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { RelPath } from '../ids/relpath.js';
import type { MaybePromise } from '../maybe-promise.js';
import type { DownloadGrant } from '../tokens/transfer-tokens.js';
import { DownloadBases, type DownloadBase } from './download-bases.js';
import { FileDownload } from './file-download.js';

/** ENXIO of open(2): a socket. EINVAL is what Beneath says of other special files. */
const ENXIO = 6;

const FOLLOWING = { follow: true } as const;

type Download = FileDownload | ArchiveDownload;

export interface DownloadOptions {
  /** The client's choice, not covered by the token: a directory between the vfolder and the token's path. */
  readonly directory?: string | undefined;
  /** Give a directory as an archive instead of refusing it. */
  readonly archive: boolean;
}

/** Downloads of what a token names (protocol section 4.3). Whoever opens one closes it. */
@Injectable()
export class Downloads {
  constructor(
    private readonly bases: DownloadBases,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
  ) {}

  /**
   * Opens the file, or the directory with `archive`. Links that stay inside the vfolder are followed.
   *
   * @throws StorageError NOT_FOUND with subject `volume`, `vfolder` or `entry`; OUTSIDE_VFOLDER for a path,
   *   `directory` or link that leaves the vfolder; IS_A_DIRECTORY without `archive`; NOT_A_FILE
   */
  open(grant: DownloadGrant, options: DownloadOptions): MaybePromise<Download> {
    const base = this.bases.find(grant.ref, grant.unmanagedPath);
    const path = placed(grant.path, options.directory);
    return this.openAtOnce(base, path) ?? this.acquire(base, path, options.archive);
  }

  /** Opens a file where nothing has to be waited for; undefined where `acquire` has to find out. */
  private openAtOnce(base: DownloadBase, path: RelPath): FileDownload | undefined {
    const root = base.openAtOnce();
    try {
      const file = root?.openFileAtOnce(path.toBytes(), FOLLOWING);
      return file && this.fileDownload(base, path, file);
    } finally {
      root?.close();
    }
  }

  private acquire(base: DownloadBase, path: RelPath, archive: boolean): Promise<Download> {
    return base.volume.acquire(
      'download',
      async () => {
        const root = await base.open();
        let download: Download | undefined;
        try {
          download = await this.openAt(base, root, path, archive);
          return download;
        } finally {
          // An archive reads below the root as long as it lasts.
          if (download?.kind !== 'archive') root.close();
        }
      },
      (unwanted) => unwanted.close(),
    );
  }

  private async openAt(
    base: DownloadBase,
    root: Beneath,
    path: RelPath,
    archive: boolean,
  ): Promise<Download> {
    const { idleTimeoutMs, compressionLevel } = this.settings.downloads;
    try {
      return this.fileDownload(base, path, await root.openFile(path.toBytes(), FOLLOWING));
    } catch (error) {
      if (!archive || !isErrno(error, Errno.EISDIR)) throw entryError(error, path);
    }
    return new ArchiveDownload({
      base,
      root,
      filename: Buffer.concat([nameOf(base, path), Buffer.from('.zip')]),
      members: [{ path: path.toBytes(), name: Buffer.alloc(0) }],
      idleTimeoutMs,
      compressionLevel,
    });
  }

  private fileDownload(base: DownloadBase, path: RelPath, file: OpenFile): FileDownload {
    const { idleTimeoutMs } = this.settings.downloads;
    return new FileDownload(base.volume, file, nameOf(base, path), idleTimeoutMs);
  }
}

function nameOf(base: DownloadBase, path: RelPath): Buffer {
  return path.isRoot ? base.name : path.name;
}

/** S2: what the client adds is confined like everything else. */
function placed(path: RelPath, directory: string | undefined): RelPath {
  if (directory === undefined) return path;
  try {
    return RelPath.parseClient(directory).join(path);
  } catch (error) {
    if (!isStorageError(error, 'INVALID_ARGUMENT')) throw error;
    throw new StorageError('INVALID_ARGUMENT', error.message, {
      subject: 'request',
      data: { dst_dir: error.message },
    });
  }
}

function entryError(error: unknown, path: RelPath): unknown {
  const details = { subject: 'entry', paths: [path.toString()] } as const;
  if (isErrno(error, Errno.EINVAL, ENXIO)) {
    return new StorageError('NOT_A_FILE', undefined, details, { cause: error });
  }
  return fromSystemError(error, details);
}
