import { bytesToPath } from '../grammar/path-bytes.js';
import type { ListedEntry } from '../volume/files/listing.js';
import type { MkdirResult } from '../volume/files/mkdir.js';
import type { VFolderId } from '../volume/ids/vfolder-id.js';
import type { EntryDto, FileListDto, MkdirAnswerDto, MkdirItemDto } from './dto/file.dto.js';
import { isoTime } from './iso-time.js';

export interface MkdirAnswer {
  readonly status: number;
  readonly body: MkdirAnswerDto | undefined;
}

/**
 * How mkdir answers (protocol section 3.7). Scoped ids: a report of every path, 200 without failures, 207
 * with some, 422 when nothing was made. Bare ids: 204, or the first failure is thrown.
 */
export function mkdirAnswer(id: VFolderId, results: readonly MkdirResult[]): MkdirAnswer {
  if (id.scope === null) {
    const failed = results.find((result) => result.error);
    if (failed?.error) throw failed.error;
    return { status: 204, body: undefined };
  }
  const success = results.filter((result) => !result.error).map(item);
  const failed = results.filter((result) => result.error).map(item);
  const status = success.length === 0 ? 422 : failed.length > 0 ? 207 : 200;
  return { status, body: { results: { success, failed } } };
}

function item({ path, error }: MkdirResult): MkdirItemDto {
  return { msg: error?.message ?? null, item: path.toString() };
}

/** One item of a listing (protocol sections 2.5 and 3.7), as JSON text. */
export function entryText(entry: ListedEntry): string {
  return JSON.stringify(entryDto(entry));
}

/** A listing of such items, as JSON text. */
export function listText(items: readonly string[], rest: Omit<FileListDto, 'items'>): string {
  return `{"items":[${items.join(',')}],${JSON.stringify(rest).slice(1)}`;
}

function entryDto(entry: ListedEntry): EntryDto {
  return {
    name: bytesToPath(entry.name),
    type: entry.type,
    stat: {
      mode: entry.mode,
      size: entry.sizeBytes,
      created: isoTime(entry.ctimeNs),
      modified: isoTime(entry.mtimeNs),
    },
    symlink_target: entry.symlinkTarget,
  };
}
