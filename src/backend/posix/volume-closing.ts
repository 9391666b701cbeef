import { StorageError } from '../../errors/storage-error.js';

/** Why work on a volume ends, or does not begin: it was removed from the configuration, or the process stops. */
export function volumeClosing(volume: string): StorageError {
  const message = `volume "${volume}" is being closed`;
  return new StorageError('UNAVAILABLE', message, { subject: 'volume', volume });
}
