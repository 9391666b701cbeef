import path from 'node:path';
import { Inject, Injectable } from '@nestjs/common';
import type { ScannedEntry } from '../../backend/contract/entry.js';
import type { ScanOptions } from '../../backend/contract/tree-operations.js';
import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { UnmanagedRoots } from '../tokens/unmanaged-roots.js';
import { vfolderError, type Volume } from '../volume.js';
import { VolumeRegistry } from '../volume-registry.js';
import { UnmanagedTrees } from './unmanaged-trees.js';

/** The directory that downloads of one token come from: a vfolder, or an unmanaged directory in its place. */
export interface DownloadBase {
  /** Whose share of the process the transfer uses, and who is named in its metrics. */
  readonly volume: Volume;
  /** What an archive of all of it is called, without extension. */
  readonly name: Buffer;
  /** Opens it; everything read is confined to it. The caller closes it. */
  open(): Promise<Beneath>;
  /** `open` where nothing has to be waited for; undefined where `open` has to find out, or say why not. */
  openAtOnce(): Beneath | undefined;
  /** What lies below a directory in it, see `TreeOperations.scan`. */
  scan(path: Buffer, options: ScanOptions): AsyncIterable<readonly ScannedEntry[]>;
}

@Injectable()
export class DownloadBases {
  readonly #roots: UnmanagedRoots;

  constructor(
    private readonly registry: VolumeRegistry,
    private readonly unmanagedTrees: UnmanagedTrees,
    @Inject(DOMAIN_SETTINGS) settings: DomainSettings,
  ) {
    this.#roots = new UnmanagedRoots(settings.unmanagedRoots);
  }

  /**
   * @throws StorageError NOT_FOUND subject `volume` for an unknown one, and with subject `entry` on the noop
   *   volume, which holds nothing; INVALID_ARGUMENT for an unmanaged path that is not below a configured root
   */
  find(ref: VFolderRef, unmanagedPath: string | null): DownloadBase {
    const volume = this.registry.get(ref.volume);
    if (unmanagedPath !== null) return this.unmanaged(volume, ref, unmanagedPath);
    if (volume.isNoop) throw new StorageError('NOT_FOUND', 'File not found', { subject: 'entry' });
    return {
      volume,
      // Its directory's own name, as the layout has it.
      name: Buffer.from(ref.id.folder.slice(4)),
      open: () => volume.openVFolder(ref.id),
      openAtOnce: () => volume.openVFolderAtOnce(ref.id),
      scan: (below, options) => volume.strategies.trees.scan(volume.locate(ref.id), below, options),
    };
  }

  /** S18: confined from the configured root on, so that a link below that root cannot lead elsewhere. */
  private unmanaged(volume: Volume, ref: VFolderRef, unmanagedPath: string): DownloadBase {
    const admitted = this.#roots.admit(unmanagedPath);
    if ('reason' in admitted) {
      throw new StorageError('INVALID_ARGUMENT', `unmanaged_path: ${admitted.reason}`);
    }
    const { root } = admitted;
    const below = Buffer.from(path.relative(root, admitted.path) || '.');
    const trees = this.unmanagedTrees;
    return {
      volume,
      name: Buffer.from(path.basename(admitted.path)),
      open: async () => {
        try {
          using top = await Beneath.open(root);
          return await top.descend(below);
        } catch (error) {
          throw vfolderError(error, volume.name, ref.id);
        }
      },
      // Below a root of the operator's, of which nothing is known.
      openAtOnce: () => undefined,
      scan: async function* (inside, options) {
        yield* (await trees.of(root)).scan({ path: below }, inside, options);
      },
    };
  }
}
