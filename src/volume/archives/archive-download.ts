import type { ServerResponse } from 'node:http';
import type { Beneath } from '../../native/beneath.js';
import { meterTransfer } from '../../observability/metrics.js';
import { attachmentDisposition } from '../downloads/content-disposition.js';
import type { DownloadBase } from '../downloads/download-bases.js';
import { ResponseBody, type TransferResult } from '../downloads/response-body.js';
import { walkMembers, type ArchiveMember } from './archive-members.js';
import { writeArchive } from './write-archive.js';

export interface ArchiveOptions {
  readonly base: DownloadBase;
  /** `base`, open; the archive takes it over. */
  readonly root: Beneath;
  /** Name offered to the client. */
  readonly filename: Buffer;
  readonly members: readonly ArchiveMember[];
  readonly idleTimeoutMs: number;
  readonly compressionLevel: number;
}

/** A ZIP that is made while it is sent. Its length is not known before, so it has none and no ranges. */
export class ArchiveDownload {
  readonly kind = 'archive';
  readonly headers: Readonly<Record<string, string>>;

  constructor(private readonly options: ArchiveOptions) {
    this.headers = {
      'content-type': 'application/zip',
      'content-disposition': attachmentDisposition(options.filename),
    };
  }

  /**
   * Writes the body; status and headers are set before. Never rejects; unless the result says `complete`
   * the connection has been destroyed.
   */
  async send(response: ServerResponse): Promise<TransferResult> {
    const { base, root, members, idleTimeoutMs, compressionLevel } = this.options;
    const meter = meterTransfer(base.volume.name, 'archive');
    try {
      return await ResponseBody.send(
        response,
        { idleTimeoutMs, onBytes: (count) => meter.add(count) },
        async (body) => {
          // The first entry may take a while to be found.
          response.flushHeaders();
          const source = {
            root,
            io: <Result>(work: () => Promise<Result>) => base.volume.io(work, body.signal),
            level: compressionLevel,
          };
          const items = walkMembers(base, members, body.signal);
          await writeArchive(items, source, (chunks) => body.write(chunks));
        },
      );
    } finally {
      meter.close();
    }
  }

  close(): void {
    this.options.root.close();
  }
}
