import { StorageError } from '../../errors/storage-error.js';
import { QuotaScopeId } from './quota-scope-id.js';
import { dashedUuid, uuidHex } from './uuid.js';

/**
 * A vfolder within its volume. Scoped ids, `<quota scope>/<uuid>`, are the current generation; unscoped
 * ones, a bare UUID, that of 20.09 to 22.09. Both live side by side, and the generation picks the dialect.
 */
export class VFolderId {
  private constructor(
    /** `null`: an unscoped id. */
    readonly scope: QuotaScopeId | null,
    /** 32 lower-case hex digits. */
    readonly folder: string,
  ) {}

  /**
   * Splits at the first `/`; an empty right half is the unscoped form (protocol section 2.2).
   *
   * @throws StorageError INVALID_ARGUMENT; its message is the reason, fit for `data: { member: reason }`
   */
  static parse(text: string): VFolderId {
    const slash = text.indexOf('/');
    const left = slash < 0 ? text : text.slice(0, slash);
    const right = slash < 0 ? '' : text.slice(slash + 1);
    if (right === '') return new VFolderId(null, folderHex(left));
    return new VFolderId(QuotaScopeId.parse(left), folderHex(right));
  }

  /** `folder` is 32 lower-case hex digits, as `pathname`s and trash names carry them. */
  static of(scope: QuotaScopeId | null, folder: string): VFolderId {
    return new VFolderId(scope, folder);
  }

  /** Dashed lower-case UUID of the folder alone, as unscoped ids print. */
  get uuid(): string {
    return dashedUuid(this.folder);
  }

  equals(other: VFolderId): boolean {
    return this.toString() === other.toString();
  }

  /** `<type>:<dashed>/<32 hex>` when scoped, else the dashed UUID. */
  toString(): string {
    return this.scope ? `${this.scope.toString()}/${this.folder}` : this.uuid;
  }
}

/** A vfolder and the volume it is on: what most operations act on. */
export interface VFolderRef {
  readonly volume: string;
  readonly id: VFolderId;
}

function folderHex(text: string): string {
  const hex = uuidHex(text);
  if (hex !== undefined) return hex;
  throw new StorageError('INVALID_ARGUMENT', 'cannot convert value to UUID', {
    subject: 'request',
  });
}
