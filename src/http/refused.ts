import { isStorageError, type StorageError } from '../errors/storage-error.js';

/** Takes the place of a DTO value that could not be coerced, until validation reports it. */
export class Refused {
  constructor(private readonly error: unknown) {}

  get reason(): string {
    return this.error instanceof Error ? this.error.message : String(this.error);
  }

  /** The error, when it means more than a malformed parameter, for example a path that leaves the vfolder. */
  get meaning(): StorageError | undefined {
    const { error } = this;
    return isStorageError(error) && error.code !== 'INVALID_ARGUMENT' ? error : undefined;
  }
}
