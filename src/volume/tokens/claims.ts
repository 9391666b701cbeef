import { isStorageError, StorageError } from '../../errors/storage-error.js';
import { RelPath } from '../ids/relpath.js';
import { isSessionId } from '../ids/session-id.js';
import { VFolderId } from '../ids/vfolder-id.js';
import { claimError } from './token-errors.js';

/** Reads the claims of a verified token one by one. Every method throws UNAUTHENTICATED (`token-claims`) naming the claim. */
export class Claims {
  constructor(private readonly payload: Readonly<Record<string, unknown>>) {}

  expect(claim: string, value: string): void {
    if (this.payload[claim] !== value) throw claimError(claim, `expected "${value}"`);
  }

  text(claim: string): string {
    const value = this.required(claim);
    if (typeof value !== 'string') throw claimError(claim, 'value is not a string');
    if (value === '') throw claimError(claim, 'blank value is not allowed');
    return value;
  }

  optionalText(claim: string): string | null {
    const value = this.payload[claim];
    return value === undefined || value === null ? null : this.text(claim);
  }

  optionalFlag(claim: string): boolean {
    const value = this.payload[claim] ?? false;
    if (typeof value !== 'boolean') throw claimError(claim, 'value is not a boolean');
    return value;
  }

  sizeBytes(claim: string): number {
    const value = this.required(claim);
    if (!Number.isSafeInteger(value) || (value as number) < 0) {
      throw claimError(claim, 'value is not a size in bytes');
    }
    return value as number;
  }

  vfolderId(claim: string): VFolderId {
    const text = this.text(claim);
    return asClaim(claim, () => VFolderId.parse(text));
  }

  sessionId(claim: string): string {
    const text = this.text(claim);
    if (!isSessionId(text)) throw claimError(claim, 'value is not an upload session id');
    return text;
  }

  /** A path that leaves the vfolder stays OUTSIDE_VFOLDER: planes answer it like any other. */
  path(claim: string, vfid: VFolderId): RelPath {
    return parsePath(claim, this.text(claim), vfid);
  }

  paths(claim: string, vfid: VFolderId): RelPath[] {
    const value = this.required(claim);
    if (!Array.isArray(value) || value.length === 0) {
      throw claimError(claim, 'value is not a list of paths');
    }
    return value.map((item: unknown) => {
      if (typeof item !== 'string') throw claimError(claim, 'value is not a string');
      return parsePath(claim, item, vfid);
    });
  }

  expiresAt(): Date {
    return new Date((this.payload['exp'] as number) * 1000);
  }

  private required(claim: string): unknown {
    const value = this.payload[claim];
    if (value === undefined) throw claimError(claim, 'is required');
    return value;
  }
}

function parsePath(claim: string, text: string, vfid: VFolderId): RelPath {
  try {
    return asClaim(claim, () => RelPath.parseClient(text));
  } catch (error) {
    if (!isStorageError(error, 'OUTSIDE_VFOLDER')) throw error;
    throw new StorageError('OUTSIDE_VFOLDER', `Path escapes vfolder boundary: ${text}`, {
      subject: 'entry',
      vfid: vfid.toString(),
      paths: [text],
    });
  }
}

function asClaim<T>(claim: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (isStorageError(error, 'INVALID_ARGUMENT')) throw claimError(claim, error.message);
    throw error;
  }
}
