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

  newLock(id: string): Lock {
    const exchange = this.exchanges.of(id);
    return {
      lock: async () => {
        exchange.upload = await this.uploads.open(exchange.request, exchange.signal);
        if (exchange.upload.wasCompleted) exchange.noteChange();
      },
      unlock: async () => {
        await exchange.upload?.close();
        delete exchange.upload;
      },
    };
  }
}

/** Shows the library the upload that the exchange holds open, and hands that the body. */
export class UploadStore extends DataStore {
  override extensions = ['creation', 'creation-with-upload', 'expiration'];

  constructor(private readonly exchanges: TusExchanges) {
    super();
  }

  /** The upload exists since its token was issued; creating it only confirms its size. */
  override create(upload: Upload): Promise<Upload> {
    const { sizeBytes } = this.exchanges.uploadOf(upload.id);
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
    const { offset, sizeBytes } = this.exchanges.uploadOf(id);
    return Promise.resolve(new Upload({ id, offset, size: sizeBytes }));
  }

  /** The stream given is empty: the library was shown a request without a body. */
  override async write(_empty: Readable, id: string, offset: number): Promise<number> {
    const upload = this.exchanges.uploadOf(id);
    if (offset !== upload.offset) throw offsetMismatch(upload.offset, offset);
    return upload.receive(this.exchanges.of(id).openBody());
  }
}
