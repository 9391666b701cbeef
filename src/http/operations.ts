/**
 * Every operation of the product by name: what routes are tagged with, what the error table is keyed
 * by, the `operationId` in the OpenAPI documents, and what logs call a request.
 */
import type { ProblemKey } from './problem-key.js';

export type Plane = 'client' | 'manager' | 'internal';

/** Operations that share the answers to failures. */
export type OperationGroup =
  | 'probe'
  | 'volume'
  | 'quota-scope'
  | 'folder'
  | 'file'
  | 'typed-file'
  | 'jobs'
  | 'download'
  | 'download-archive'
  | 'upload';

/** The middle word of `error_code`; managers know only these. */
type ErrorVerb =
  'generic' | 'create' | 'access' | 'read' | 'update' | 'purge' | 'list-query' | 'start';

export interface OperationSpec {
  readonly planes: readonly Plane[];
  readonly group: OperationGroup;
  readonly verb: ErrorVerb;
  /** Needs no manager secret. On the client plane nothing does: tokens are checked by the handlers. */
  readonly open?: true;
  /** What can go wrong beyond what every operation of the plane can answer; feeds the OpenAPI documents. */
  readonly fails: readonly ProblemKey[];
}

const probe = (...planes: Plane[]): OperationSpec => ({
  planes,
  group: 'probe',
  verb: 'read',
  open: true,
  fails: [],
});
const manager = (
  group: OperationGroup,
  verb: ErrorVerb,
  ...fails: ProblemKey[]
): OperationSpec => ({ planes: ['manager'], group, verb, fails });
const client = (group: OperationGroup, verb: ErrorVerb, ...fails: ProblemKey[]): OperationSpec => ({
  planes: ['client'],
  group,
  verb,
  open: true,
  fails,
});

const VOLUME = ['NOT_FOUND/volume', 'UNAVAILABLE/volume'] as const;
const VFOLDER = [...VOLUME, 'NOT_FOUND/vfolder'] as const;
const ENTRY = [...VFOLDER, 'OUTSIDE_VFOLDER/entry', 'PERMISSION_DENIED/entry'] as const;
const WRITE = ['QUOTA_EXCEEDED/entry', 'NO_SPACE/entry'] as const;
const TOKEN = ['UNAUTHENTICATED/token', 'TOKEN_EXPIRED/token', 'RATE_LIMITED/request'] as const;
const TRANSFER = ['RATE_LIMITED/token'] as const;
const UPLOAD = [...TOKEN, ...VOLUME, 'NOT_FOUND/upload'] as const;
const ARCHIVE = [
  'UNAUTHENTICATED/token/token-undecodable',
  'UNAUTHENTICATED/token/token-claims',
  'UNAUTHENTICATED/token/token-signature',
  'TOKEN_EXPIRED/token',
  'RATE_LIMITED/request',
  ...VFOLDER,
  'NOT_FOUND/entry',
  'OUTSIDE_VFOLDER/entry',
] as const;
const CONDITIONAL = ['PRECONDITION_FAILED', 'RANGE_NOT_SATISFIABLE'] as const;

export const OPERATIONS = {
  'status.read': probe('manager', 'client'),
  'health.read': probe('manager', 'internal'),
  'livez.read': probe('manager', 'internal'),
  'readyz.read': probe('manager', 'internal'),
  'metrics.read': probe('internal'),
  'docs.page': probe('manager', 'client'),
  'docs.asset': probe('manager', 'client'),
  'docs.openapi': probe('manager', 'client'),

  'volumes.list': manager('volume', 'list-query', 'INVALID_ARGUMENT/request/body-not-allowed'),
  'volume.hwinfo': manager('volume', 'read', ...VOLUME),
  'volume.performance-metric': manager('volume', 'read', ...VOLUME, 'UNSUPPORTED/volume'),
  'volume.fs-usage': manager('volume', 'read', ...VOLUME),
  'volume.quota.read': manager('volume', 'read', ...VFOLDER, 'UNSUPPORTED/volume'),
  'volume.quota.update': manager('volume', 'update', ...VFOLDER, 'UNSUPPORTED/volume'),

  'quota-scope.create': manager(
    'quota-scope',
    'create',
    ...VOLUME,
    'ALREADY_EXISTS/quota-scope',
    'INVALID_ARGUMENT/quota-scope/quota-config',
    'INTERNAL/quota-scope/external',
  ),
  'quota-scope.read': manager('quota-scope', 'read', ...VOLUME, 'NOT_FOUND/quota-scope'),
  'quota-scope.update': manager(
    'quota-scope',
    'update',
    ...VOLUME,
    'INVALID_ARGUMENT/quota-scope/quota-config',
  ),
  'quota-scope.unset': manager(
    'quota-scope',
    'update',
    ...VOLUME,
    'NOT_FOUND/quota-scope',
    'UNSUPPORTED/quota-scope',
  ),

  'folder.create': manager(
    'folder',
    'create',
    ...VOLUME,
    'NOT_FOUND/quota-scope',
    'NOT_EMPTY/vfolder',
    'QUOTA_EXCEEDED/entry',
    'NO_SPACE/entry',
  ),
  'folder.delete': manager('folder', 'purge', ...VOLUME),
  'folder.clone': manager(
    'folder',
    'create',
    ...VFOLDER,
    'ALREADY_EXISTS/vfolder',
    'QUOTA_EXCEEDED/entry',
    'NO_SPACE/entry',
  ),
  'folder.mount': manager('folder', 'read', ...VFOLDER, 'OUTSIDE_VFOLDER/entry'),
  'folder.metadata.read': manager('folder', 'read', ...VOLUME),
  'folder.metadata.write': manager('folder', 'update', ...VOLUME),
  'folder.usage': manager('folder', 'read', ...VFOLDER),
  'folder.used-bytes': manager('folder', 'read', ...VFOLDER),

  'file.mkdir': manager('file', 'create', ...ENTRY, 'ALREADY_EXISTS/entry', ...WRITE),
  'file.list': manager('file', 'list-query', ...ENTRY, 'NOT_FOUND/entry', 'NOT_A_DIRECTORY/entry'),
  'file.rename': manager(
    'file',
    'update',
    ...ENTRY,
    'INVALID_ARGUMENT/entry',
    'NOT_FOUND/entry',
    'ALREADY_EXISTS/entry',
  ),
  'file.move': manager(
    'file',
    'update',
    ...ENTRY,
    'INVALID_ARGUMENT/entry',
    'NOT_FOUND/entry',
    'NOT_EMPTY/entry',
    'LOCKED/entry',
    ...WRITE,
  ),
  'file.fetch': manager('file', 'read', ...ENTRY, 'NOT_FOUND/entry', 'IS_A_DIRECTORY/entry'),
  'file.download': manager('file', 'read', ...VOLUME, 'OUTSIDE_VFOLDER/entry', 'TOO_LARGE/token'),
  'file.archive-download-token': manager(
    'typed-file',
    'read',
    'INVALID_ARGUMENT/request/body-malformed',
    ...VOLUME,
    'OUTSIDE_VFOLDER/entry',
    'TOO_LARGE/token',
  ),
  'file.upload': manager('file', 'create', ...ENTRY, 'TOO_LARGE/upload', ...WRITE),
  'file.delete': manager('file', 'purge', ...ENTRY, 'IS_A_DIRECTORY/entry'),
  'file.delete-async': manager(
    'typed-file',
    'purge',
    'INVALID_ARGUMENT/request/body-malformed',
    ...VFOLDER,
    'OUTSIDE_VFOLDER/entry',
  ),

  'jobs.list': manager('jobs', 'list-query'),
  'jobs.read': manager('jobs', 'read', 'NOT_FOUND/job', 'UNAVAILABLE/volume'),
  'jobs.cancel': manager(
    'jobs',
    'update',
    'NOT_FOUND/job',
    'IN_PROGRESS/job',
    'UNAVAILABLE/volume',
  ),
  'jobs.watch': manager('jobs', 'read', 'NOT_FOUND/job', 'UNAVAILABLE/volume'),

  download: client(
    'download',
    'read',
    ...TOKEN,
    ...TRANSFER,
    ...VFOLDER,
    'NOT_FOUND/entry',
    'IS_A_DIRECTORY/entry',
    ...CONDITIONAL,
  ),
  'download.head': client(
    'download',
    'read',
    ...TOKEN,
    ...VFOLDER,
    'NOT_FOUND/entry',
    'IS_A_DIRECTORY/entry',
    'PRECONDITION_FAILED',
  ),
  'download-archive': client('download-archive', 'read', ...ARCHIVE, ...TRANSFER),
  'download-archive.head': client('download-archive', 'read', ...ARCHIVE),
  'upload.options': client('upload', 'read'),
  'upload.head': client('upload', 'read', ...UPLOAD),
  'upload.create': client(
    'upload',
    'create',
    ...UPLOAD,
    'OUTSIDE_VFOLDER/entry',
    'TOO_LARGE/upload',
    'QUOTA_EXCEEDED/entry',
    'NO_SPACE/entry',
  ),
  'upload.patch': client(
    'upload',
    'update',
    ...UPLOAD,
    'INVALID_ARGUMENT/upload/offset-header',
    'OUTSIDE_VFOLDER/entry',
    'OFFSET_MISMATCH/upload',
    'LOCKED/upload/lease-held',
    'LOCKED/upload/lease-lost',
    'TOO_LARGE/upload',
    'QUOTA_EXCEEDED/entry',
    'NO_SPACE/entry',
  ),
} as const satisfies Record<string, OperationSpec>;

export type Operation = keyof typeof OPERATIONS;

/** The table row with its declared width, for code that treats operations alike. */
export function operationSpec(operation: Operation): OperationSpec {
  return OPERATIONS[operation];
}
