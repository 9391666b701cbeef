import { StorageError } from '../../errors/storage-error.js';
import { selectRanges, type RangeSelection } from './byte-range.js';
import {
  evaluatePreconditions,
  rangeStillApplies,
  type ConditionalHeaders,
  type Validators,
} from './conditional.js';
import { attachmentDisposition } from './content-disposition.js';
import { formatHttpDate } from './http-date.js';
import {
  bodyLength,
  contentRange,
  multipartBody,
  newBoundary,
  type BodyPart,
} from './multipart-ranges.js';

/** What decides the answer besides the file. */
export interface DownloadRequest {
  readonly method: 'GET' | 'HEAD';
  readonly headers: ConditionalHeaders & { readonly range?: string | undefined };
  /** Asks caches to keep nothing. */
  readonly noCache: boolean;
}

export interface DownloadedFile {
  /** Raw name offered to the client. */
  readonly name: Buffer;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
}

/** A whole answer as a value: computed first, written afterwards. */
export interface DownloadPlan {
  readonly status: 200 | 206 | 304;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty for HEAD and 304. */
  readonly body: readonly BodyPart[];
}

const CONTENT_TYPE = 'application/octet-stream';

/** The strong entity tag of this wire: mtime in nanoseconds and size, both in hexadecimal. */
function entityTag(file: Pick<DownloadedFile, 'mtimeNs' | 'sizeBytes'>): string {
  return `"${file.mtimeNs.toString(16)}-${file.sizeBytes.toString(16)}"`;
}

/**
 * Computes the answer to a download (protocol section 4.3, RFC 9110 sections 13 and 14).
 *
 * @throws StorageError PRECONDITION_FAILED; RANGE_NOT_SATISFIABLE, which names the size in `Content-Range`
 */
export function planDownload(
  request: DownloadRequest,
  file: DownloadedFile,
  makeBoundary: () => string = newBoundary,
): DownloadPlan {
  const current: Validators = { etag: entityTag(file), mtimeNs: file.mtimeNs };
  const validators: Record<string, string> = {
    etag: current.etag,
    'last-modified': formatHttpDate(file.mtimeNs),
  };
  if (request.noCache) validators['cache-control'] = 'no-store';
  switch (evaluatePreconditions(request.headers, current)) {
    case 'failed':
      throw new StorageError('PRECONDITION_FAILED', undefined, { subject: 'entry' });
    case 'not-modified':
      return { status: 304, headers: validators, body: [] };
    case 'proceed':
  }

  const common = {
    'content-type': CONTENT_TYPE,
    'content-disposition': attachmentDisposition(file.name),
    'accept-ranges': 'bytes',
  };
  const selection = rangesAskedFor(request, file.sizeBytes, current);
  const plan = planBody(selection, file.sizeBytes, makeBoundary);
  return {
    status: plan.status,
    headers: Object.assign(common, validators, plan.headers, {
      'content-length': String(bodyLength(plan.body)),
    }),
    body: request.method === 'HEAD' ? [] : plan.body,
  };
}

/** RFC 9110, section 14.2: a range is defined for GET only. */
function rangesAskedFor(
  request: DownloadRequest,
  size: number,
  current: Validators,
): RangeSelection {
  if (request.method !== 'GET' || !rangeStillApplies(request.headers, current)) return 'whole';
  return selectRanges(request.headers.range, size);
}

function planBody(
  selection: RangeSelection,
  size: number,
  makeBoundary: () => string,
): DownloadPlan {
  if (selection === 'whole') {
    return { status: 200, headers: {}, body: size === 0 ? [] : [{ start: 0, length: size }] };
  }
  const [first, ...others] = selection;
  if (first === undefined) {
    throw new StorageError('RANGE_NOT_SATISFIABLE', undefined, {
      subject: 'entry',
      headers: { 'content-range': `bytes */${size}` },
    });
  }
  if (others.length === 0) {
    return { status: 206, headers: { 'content-range': contentRange(first, size) }, body: [first] };
  }
  const boundary = makeBoundary();
  return {
    status: 206,
    headers: { 'content-type': `multipart/byteranges; boundary=${boundary}` },
    body: multipartBody(selection, size, CONTENT_TYPE, boundary),
  };
}
