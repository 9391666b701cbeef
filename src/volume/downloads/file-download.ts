import type { ServerResponse } from 'node:http';
import type { OpenFile } from '../../native/open-file.js';
import { meterTransfer } from '../../observability/metrics.js';
import { cleaningUp, type MaybePromise } from '../maybe-promise.js';
import type { Volume } from '../volume.js';
import { planDownload, type DownloadPlan, type DownloadRequest } from './download-plan.js';
import type { TransferResult } from './response-body.js';
import { sendRanges } from './send-file.js';

/** One regular file, open for a download. */
export class FileDownload {
  readonly kind = 'file';

  constructor(
    private readonly volume: Volume,
    private readonly file: OpenFile,
    /** Raw name offered to the client. */
    private readonly name: Buffer,
    private readonly idleTimeoutMs: number,
  ) {}

  /** The answer as a value; throws as `planDownload` does. */
  plan(request: DownloadRequest): DownloadPlan {
    const { size, mtimeNs } = this.file.stat;
    return planDownload(request, { name: this.name, sizeBytes: size, mtimeNs });
  }

  /** Writes the body of a plan, see `sendRanges`. */
  send(response: ServerResponse, plan: DownloadPlan): MaybePromise<TransferResult> {
    const meter = meterTransfer(this.volume.name, 'download');
    return cleaningUp(
      () =>
        sendRanges(response, this.file, plan.body, {
          io: (work, signal) => this.volume.io(work, signal),
          idleTimeoutMs: this.idleTimeoutMs,
          onBytes: (count) => meter.add(count),
        }),
      () => meter.close(),
    );
  }

  close(): MaybePromise<void> {
    return this.file.closeAtOnce() ? undefined : this.file.close();
  }
}
