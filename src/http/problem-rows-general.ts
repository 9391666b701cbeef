import type { ErrorCode } from '../errors/error-code.js';
import { fsRow, row, type ProblemRow, type ProblemRows } from './problem-row.js';

const PARAMS = ['storage/invalid-api-params', 'Invalid API parameters'] as const;

const UNAVAILABLE = row(
  503,
  'storage/volume/unavailable',
  'Volume Unavailable',
  'storage_access_unavailable',
  { retryAfterSeconds: 5 },
);

/** What holds wherever no operation or group says otherwise. Every code alone has a row. */
export const GENERAL_ROWS = {
  NOT_FOUND: row(404, 'storage/not-found', 'Not Found', 'storage-proxy_read_not-found'),
  'NOT_FOUND/route': row(404, 'storage/route/not-found', 'Not Found', 'api_generic_not-found'),
  'NOT_FOUND/volume': row(
    400,
    'storage/volume/invalid',
    'Invalid Volume',
    'storage_access_invalid-parameters',
  ),
  'NOT_FOUND/quota-scope': row(
    404,
    'storage/quota/scope/not-found',
    'Quota Scope Not Found',
    'quota-scope_read_not-found',
  ),
  'NOT_FOUND/vfolder': row(
    404,
    'storage/vfolder/not-found',
    'VFolder Not Found',
    'vfolder_read_not-found',
  ),
  'NOT_FOUND/entry': fsRow('not-found'),
  'NOT_FOUND/upload': row(
    404,
    'storage/tus-session-not-found',
    'TUS upload session not found',
    'storage-proxy_read_not-found',
  ),
  'NOT_FOUND/job': row(404, 'storage/job/not-found', 'Job Not Found', 'bgtask_read_not-found'),
  'NOT_FOUND/volume/metadata': row(
    404,
    'storage/metric-not-found',
    'Metric Not Found',
    'storage-proxy_read_not-found',
  ),

  GONE: row(410, 'storage/vfolder/gone', 'VFolder Gone', 'vfolder_{verb}_gone'),

  ALREADY_EXISTS: row(
    409,
    'storage/already-exists',
    'Already Exists',
    'vfolder_{verb}_already-exists',
  ),
  'ALREADY_EXISTS/vfolder': row(
    409,
    'storage/vfolder/already-exists',
    'VFolder Already Exists',
    'vfolder_create_already-exists',
  ),
  'ALREADY_EXISTS/quota-scope': row(
    409,
    'storage/quota/scope/already-exists',
    'Quota Scope Already Exists',
    'quota-scope_create_already-exists',
  ),
  'ALREADY_EXISTS/entry': fsRow('already-exists'),

  NOT_EMPTY: fsRow('conflict'),
  'NOT_EMPTY/vfolder': row(
    409,
    'storage/vfolder/already-exists',
    'VFolder Already Exists',
    'vfolder_create_already-exists',
  ),
  'NOT_EMPTY/quota-scope': row(
    409,
    'storage/quota-directory-not-empty',
    'Quota Directory Not Empty',
    'quota-scope_purge_conflict',
  ),

  NOT_A_DIRECTORY: fsRow('invalid-parameters'),
  'NOT_A_DIRECTORY/vfolder': row(
    404,
    'storage/vfolder/not-found',
    'VFolder Not Found',
    'vfolder_read_not-found',
  ),
  IS_A_DIRECTORY: fsRow('invalid-parameters'),
  NOT_A_FILE: fsRow('invalid-parameters'),

  INVALID_ARGUMENT: row(400, ...PARAMS, 'vfolder_request_invalid-parameters'),
  'INVALID_ARGUMENT/request/body-malformed': row(
    400,
    'storage/malformed-request',
    'Malformed request (request body is not JSON)',
    'vfolder_parsing_bad-request',
  ),
  'INVALID_ARGUMENT/request/body-not-allowed': row(
    400,
    'storage/malformed-request',
    'Malformed request (request body should be empty)',
    'vfolder_parsing_bad-request',
  ),
  'INVALID_ARGUMENT/request/body-late': row(
    408,
    'storage/request/timeout',
    'Request Timeout',
    'api_parsing_timeout',
  ),
  'INVALID_ARGUMENT/entry': row(400, ...PARAMS, 'vfolder_{verb}_invalid-parameters'),
  'INVALID_ARGUMENT/volume/metadata': row(
    400,
    'storage/volume/metadata-too-large',
    'Metadata Too Large',
    'storage_create_invalid-parameters',
  ),
  'INVALID_ARGUMENT/quota-scope/quota-config': row(
    400,
    'storage/quota/config/invalid',
    'Invalid Quota Config',
    'quota-scope_update_invalid-parameters',
    { shape: 'plain', msg: 'Invalid quota config option' },
  ),
  'INVALID_ARGUMENT/upload/offset-header': row(
    400,
    ...PARAMS,
    'storage-proxy_request_invalid-parameters',
  ),

  OUTSIDE_VFOLDER: row(
    400,
    'storage/subpath/invalid',
    'Invalid Subpath',
    'vfolder_access_invalid-parameters',
  ),

  PERMISSION_DENIED: row(
    500,
    'storage/permission-denied',
    'Permission Denied',
    'storage_access_forbidden',
  ),
  'PERMISSION_DENIED/entry': fsRow('forbidden'),

  QUOTA_EXCEEDED: fsRow('forbidden', 'check-limit'),
  NO_SPACE: row(507, 'storage/volume/full', 'Volume Full', 'vfolder_check-limit_unavailable'),
  'NO_SPACE/entry': fsRow('unavailable', 'check-limit'),

  UNSUPPORTED: row(
    400,
    'storage/unsupported-operation',
    'Unsupported operation by the storage backend',
    'vfolder_request_not-implemented',
  ),
  'UNSUPPORTED/route': row(
    400,
    'storage/api/not-implemented',
    'API Not Implemented',
    'storage-proxy_request_not-implemented',
  ),
  'UNSUPPORTED/quota-scope': row(
    400,
    'storage/quota/scope/invalid',
    'Invalid Quota Scope',
    'quota-scope_access_invalid-parameters',
  ),

  OFFSET_MISMATCH: row(
    409,
    'storage/upload-offset-mismatch',
    'Upload Offset Mismatch',
    'storage-proxy_update_conflict',
  ),
  RANGE_NOT_SATISFIABLE: row(
    416,
    'storage/range-not-satisfiable',
    'Range Not Satisfiable',
    'vfolder_read_invalid-parameters',
  ),
  PRECONDITION_FAILED: row(
    412,
    'storage/precondition-failed',
    'Precondition Failed',
    'vfolder_read_mismatch',
  ),

  LOCKED: row(409, 'storage/locked', 'Locked', 'vfolder_{verb}_conflict', {
    retryAfterSeconds: 5,
  }),
  'LOCKED/entry': fsRow('conflict'),
  'LOCKED/quota-scope': row(409, 'storage/locked', 'Locked', 'quota-scope_{verb}_conflict', {
    retryAfterSeconds: 5,
  }),
  'LOCKED/upload': row(
    409,
    'storage/tus-lease-held',
    'TUS session lease is held by another storage-proxy',
    'storage-proxy_update_conflict',
  ),
  'LOCKED/upload/lease-lost': row(
    409,
    'storage/tus-lease-lost',
    'TUS session lease lost mid-write',
    'storage-proxy_update_conflict',
  ),
  IN_PROGRESS: row(409, 'storage/in-progress', 'Operation In Progress', 'vfolder_{verb}_conflict'),
  'IN_PROGRESS/job': row(
    409,
    'storage/job/in-progress',
    'Job Cannot Be Cancelled',
    'bgtask_{verb}_conflict',
  ),

  UNAVAILABLE,
  'UNAVAILABLE/volume/not-ready': row(
    503,
    'storage/volume/not-initialized',
    'Volume Not Initialized',
    'storage_setup_not-ready',
    { retryAfterSeconds: 5 },
  ),
  'UNAVAILABLE/volume/not-installed': row(
    503,
    'storage/ceph/not-installed',
    'Ceph Not Installed',
    'storage_setup_unavailable',
    { retryAfterSeconds: 60 },
  ),
  'UNAVAILABLE/request': row(
    503,
    'storage/service/not-initialized',
    'Service Not Initialized',
    'storage-proxy_setup_not-ready',
    { retryAfterSeconds: 5 },
  ),
  'UNAVAILABLE/request/overloaded': row(
    503,
    'storage/overloaded',
    'Overloaded',
    'storage-proxy_request_unavailable',
    { retryAfterSeconds: 5 },
  ),

  UNAUTHENTICATED: row(403, 'storage/forbidden', 'Forbidden', 'storage-proxy_auth_forbidden'),
  'UNAUTHENTICATED/request/auth-missing': row(
    403,
    'storage/forbidden',
    'Forbidden (missing auth token)',
    'storage-proxy_auth_forbidden',
  ),
  'UNAUTHENTICATED/request/auth-invalid': row(
    403,
    'storage/forbidden',
    'Forbidden (invalid auth token)',
    'storage-proxy_auth_forbidden',
  ),
  'UNAUTHENTICATED/token': row(400, ...PARAMS, 'vfolder_request_invalid-parameters'),
  TOKEN_EXPIRED: row(400, ...PARAMS, 'vfolder_request_invalid-parameters'),
  FORBIDDEN: row(403, 'storage/forbidden', 'Forbidden', 'storage-proxy_auth_forbidden'),
  METHOD_NOT_ALLOWED: row(
    405,
    'storage/route/method-not-allowed',
    'Method Not Allowed',
    'api_generic_not-implemented',
  ),
  TOO_LARGE: row(
    413,
    'storage/request/too-large',
    'Request Entity Too Large',
    'api_parsing_invalid-parameters',
  ),
  'TOO_LARGE/token': row(400, ...PARAMS, 'vfolder_request_invalid-parameters'),
  'TOO_LARGE/entry': fsRow('invalid-parameters', 'check-limit'),
  'TOO_LARGE/upload': row(400, ...PARAMS, 'vfolder_check-limit_invalid-parameters'),
  RATE_LIMITED: row(
    429,
    'storage/rate-limited',
    'Too Many Requests',
    'storage-proxy_auth_unavailable',
    { retryAfterSeconds: 10 },
  ),
  'RATE_LIMITED/token': row(
    429,
    'storage/rate-limited',
    'Too Many Transfers',
    'storage-proxy_request_unavailable',
    { retryAfterSeconds: 5 },
  ),

  INTERNAL: row(
    500,
    'storage/generic',
    'Storage Proxy Error',
    'storage-proxy_generic_internal-error',
  ),
  'INTERNAL/volume/execution': row(
    500,
    'storage/execution/failed',
    'Storage Operation Execution Failed',
    'storage-proxy_execute_internal-error',
  ),
  'INTERNAL/volume/external': row(
    500,
    'storage/external/failed',
    'External Operation Failed',
    'storage-proxy_request_unreachable',
  ),
  'INTERNAL/volume/toolkit': row(
    500,
    'storage/purestorage/command-failed',
    'PureStorage Command Failed',
    'storage_execute_internal-error',
  ),
  'INTERNAL/quota-scope/quota-create': row(
    500,
    'storage/quota/scope/creation-failed',
    'Quota Scope Creation Failed',
    'quota-scope_create_internal-error',
  ),
  'INTERNAL/quota-scope/quota-command': row(
    500,
    'storage/quota/command-failed',
    'Quota Command Failed',
    'quota-scope_execute_internal-error',
  ),
  'INTERNAL/quota-scope/quota-format': row(
    500,
    'storage/quota/format/invalid',
    'Invalid Quota Format',
    'quota-scope_read_invalid-data-format',
  ),
  'INTERNAL/quota-scope/external': row(
    500,
    'storage/external/failed',
    'External Operation Failed',
    'storage-proxy_request_unreachable',
    { shape: 'plain' },
  ),
} as const satisfies ProblemRows & Record<ErrorCode, ProblemRow>;
