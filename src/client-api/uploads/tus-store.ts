import type { Readable } from 'node:stream';
import { DataStore, Upload, type Lock, type Locker } from '@tus/server';
import { StorageError } from '../../errors/storage-error.js';
import type { Uploads } from '../../volume/uploads/uploads.js';
import { offsetMismatch } from './tus-errors.js';
import type { TusExchanges } from './tus-exchange.js';

/** The library's lock: opening an upload takes the lock on its file, and everything else happens under it. */
export class UploadLocker implements Locker {
  constructor(
    private readonly uploads: Uploads,
    private readonly exchanges: TusExchanges,
  ) {}

  newLock(): Lock {
    const { current } = this.exchanges;
    return {
      lock: async () => {
        current.upload = await this.uploads.open(current.request, current.signal);
        current.offset = current.upload.offset;
      },
      unlock: async () => {
        await current.upload?.close();
        delete current.upload;
      },
    };
  }
}

/** Shows the library the upload that the exchange holds open, and hands that the raw request body. */
export class UploadStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'expiration'];

  constructor(private readonly exchanges: TusExchanges) {
    super();
  }

  /** The upload exists since its token was issued; creating it only confirms its size. */
  override create(upload: Upload): Promise<Upload> {
    const { sizeBytes } = this.exchanges.upload;
    if (upload.size === sizeBytes) return Promise.resolve(upload);
    const reason = `the token is for ${sizeBytes} bytes`;
    return Promise.reject(
      new StorageError('INVALID_ARGUMENT', `Upload-Length: ${reason}`, {
        subject: 'upload',
        data: { 'Upload-Length': reason },
      }),
    );
  }

  override getUpload(id: string): Promise<Upload> {
    const { offset, sizeBytes } = this.exchanges.upload;
    return Promise.resolve(new Upload({ id, offset, size: sizeBytes }));
  }

  /** The stream given is empty: the library was shown a request without a body. */
  override async write(_empty: Readable, _id: string, offset: number): Promise<number> {
    const { upload, current } = this.exchanges;
    if (offset !== upload.offset) throw offsetMismatch(upload.offset, offset);
    current.invite();
    return upload.receive(current.body);
  }
}
