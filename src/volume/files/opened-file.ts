import type { OpenFile } from '../../native/open-file.js';
import type { Volume } from '../volume.js';

/** A regular file of a vfolder, open for reading. Whoever gets one closes it. */
export interface OpenedFile {
  /** As it was when the file was opened. */
  readonly sizeBytes: number;
  /** Fills `buffer` from `position`: the bytes read, fewer only at the end of the file. Rejects with SystemError. */
  read(buffer: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** Each read is a call on the volume and waits for its slot. */
export function openedFile(volume: Volume, file: OpenFile): OpenedFile {
  return {
    sizeBytes: file.stat.size,
    read: (buffer, position) => volume.io(() => file.read(buffer, position)),
    close: () => file.close(),
  };
}

/** Nothing to read: what the noop volume has under every name. */
export const EMPTY_FILE: OpenedFile = {
  sizeBytes: 0,
  read: async () => 0,
  close: async () => undefined,
};
