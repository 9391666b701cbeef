import { audit, auditsReads } from '../observability/audit/audit.js';
import {
  auditedRequest,
  type AuditResult,
  type AuditSubject,
} from '../observability/audit/audit-record.js';
import type { RequestContext } from '../observability/request-context.js';
import { OPERATIONS, operationSpec, type Operation } from './operations.js';

const CHANGING: ReadonlySet<string> = new Set(['create', 'update', 'purge', 'start']);
/** Hand content out, or the right to it. */
const READING: ReadonlySet<Operation> = new Set([
  'file.fetch',
  'file.download',
  'file.archive-download-token',
  'download',
  'download-archive',
]);
/** A list of paths may be as long as a body; a record is for reading. */
const MAX_PATHS = 100;
const MAX_TEXT = 4096;

/** Members of requests, besides those that name the volume, folder and paths, worth keeping. */
const DETAILS = [
  'new_name',
  'recursive',
  'parents',
  'exist_ok',
  'mode',
  'size',
  'size_bytes',
  'options',
  'archive',
  'unmanaged_path',
  'filename',
] as const;

export interface AuditedEnd {
  readonly statusCode: number;
  /** The answer did not get through. */
  readonly aborted: boolean;
  readonly seconds: number;
}

/** Leaves the record of a request that changed something, or tried to; of others, if they are wanted. */
export function auditRequest(context: RequestContext, end: AuditedEnd): void {
  const { operation } = context;
  // Refused before anybody looked at what it wanted: a flood of these is counted, not recorded.
  if (operation === undefined || end.statusCode === 429) return;
  if (!isAudited(operation as Operation) && !context.changed) return;
  audit({
    plane: context.plane,
    operation,
    result: resultOf(end),
    durationMs: end.seconds * 1000,
    status: end.statusCode,
    ...(context.parameters && subjectOf(context.parameters)),
    ...auditedRequest(context),
  });
}

function isAudited(operation: Operation): boolean {
  if (!(operation in OPERATIONS)) return false;
  if (CHANGING.has(operationSpec(operation).verb)) return true;
  return READING.has(operation) && auditsReads();
}

function resultOf({ statusCode, aborted }: AuditedEnd): AuditResult {
  // 499: nobody waited for the answer any more; 422 and 207 of mkdir have a body that tells more.
  if (statusCode >= 500) return 'failed';
  if (statusCode >= 400 && statusCode !== 499) return 'refused';
  return aborted ? 'aborted' : 'ok';
}

/** What a request is about, from its parameters as they came: also of one that is refused for them. */
export function subjectOf(parameters: Readonly<Record<string, unknown>>): AuditSubject {
  const text = (...names: string[]): string | undefined =>
    names.map((name) => parameters[name]).find((value) => typeof value === 'string');
  const volume = clipped(text('volume', 'dst_volume', 'src_volume'));
  const vfolder = clipped(text('vfid', 'virtual_folder_id', 'dst_vfid'));
  const quotaScope = clipped(text('qsid'));
  const paths = pathsOf(parameters);
  return {
    ...(volume !== undefined && { volume }),
    ...(vfolder !== undefined && { vfolder }),
    ...(quotaScope !== undefined && { quotaScope }),
    ...(paths.length > 0 && { paths: paths.slice(0, MAX_PATHS).map((path) => clipped(path)) }),
    details: {
      ...(paths.length > MAX_PATHS && { paths_left_out: paths.length - MAX_PATHS }),
      ...sourceOf(parameters),
      ...chosen(parameters),
    },
  };
}

function pathsOf(parameters: Readonly<Record<string, unknown>>): string[] {
  return ['relpath', 'relpaths', 'files', 'src_relpath', 'dst_relpath']
    .flatMap((name) => parameters[name])
    .filter((value) => typeof value === 'string');
}

/** Of a clone. */
function sourceOf({ src_volume, src_vfid }: Readonly<Record<string, unknown>>): object {
  if (typeof src_vfid !== 'string') return {};
  return { source_volume: plain(src_volume), source_vfolder: plain(src_vfid) };
}

function chosen(parameters: Readonly<Record<string, unknown>>): object {
  const present = DETAILS.filter((name) => parameters[name] !== undefined);
  return Object.fromEntries(present.map((name) => [name, plain(parameters[name])]));
}

/** Anything else than a short value is somebody's mistake, or malice. */
function plain(value: unknown): unknown {
  if (typeof value === 'string') return clipped(value);
  return value === undefined || JSON.stringify(value).length <= MAX_TEXT ? value : '(too long)';
}

function clipped<Text extends string | undefined>(text: Text): Text {
  return (
    text !== undefined && text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text
  ) as Text;
}
