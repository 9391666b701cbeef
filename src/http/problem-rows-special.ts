import type { Operation, OperationGroup } from './operations.js';
import { fsRow, row, type ProblemRow, type ProblemRows } from './problem-row.js';

const FILE_NOT_FOUND = row(
  404,
  'storage/file-not-found',
  'File not found',
  'vfolder_read_not-found',
);
const NOT_A_REGULAR_FILE = row(
  400,
  'storage/invalid-api-params',
  'Invalid API parameters',
  'vfolder_read_invalid-parameters',
  { msg: 'The file is not a regular file.' },
);
const DOWNLOAD_FORBIDDEN = row(
  403,
  'storage/permission-denied',
  'Permission Denied',
  'vfolder_read_forbidden',
);
const insufficientStorage = (what: string, type: string): ProblemRow =>
  row(507, `storage/${type}`, what, 'vfolder_check-limit_forbidden');
const TYPED_PARAMETERS = row(
  400,
  'generic-bad-request',
  'Invalid or Missing API Parameters.',
  'api_parsing_invalid-parameters',
);
const TYPED_BODY = row(
  400,
  'generic-bad-request',
  'Malformed request body.',
  'api_parsing_bad-request',
);

/** Rows of one group of operations. */
export const GROUP_ROWS: Readonly<Partial<Record<OperationGroup, ProblemRows>>> = {
  'typed-file': {
    'INVALID_ARGUMENT/request': TYPED_PARAMETERS,
    'INVALID_ARGUMENT/request/body-malformed': TYPED_BODY,
  },
  download: {
    // A path that leaves the folder looks like any other path that leads to no file.
    'NOT_FOUND/entry': FILE_NOT_FOUND,
    'NOT_A_DIRECTORY/entry': FILE_NOT_FOUND,
    OUTSIDE_VFOLDER: FILE_NOT_FOUND,
    IS_A_DIRECTORY: NOT_A_REGULAR_FILE,
    NOT_A_FILE: NOT_A_REGULAR_FILE,
    'PERMISSION_DENIED/entry': DOWNLOAD_FORBIDDEN,
  },
  'download-archive': {
    'INVALID_ARGUMENT/token': TYPED_PARAMETERS,
    'INVALID_ARGUMENT/request': TYPED_PARAMETERS,
    'UNAUTHENTICATED/token': row(
      400,
      'storage/jwt-decode-error',
      'Failed to decode JWT token.',
      'auth_auth_bad-request',
    ),
    'UNAUTHENTICATED/token/token-claims': row(
      400,
      'storage/jwt-payload-validation-error',
      'JWT payload validation failed.',
      'auth_auth_invalid-parameters',
    ),
    'UNAUTHENTICATED/token/token-signature': row(
      401,
      'storage/jwt-invalid-signature',
      'JWT signature verification failed.',
      'auth_auth_unauthorized',
    ),
    TOKEN_EXPIRED: row(
      401,
      'storage/jwt-expired',
      'JWT token has expired.',
      'auth_auth_data-expired',
    ),
    'NOT_FOUND/entry': FILE_NOT_FOUND,
    'NOT_A_DIRECTORY/entry': FILE_NOT_FOUND,
    OUTSIDE_VFOLDER: row(
      400,
      'storage/invalid-api-params',
      'Invalid API parameters',
      'storage-proxy_request_invalid-parameters',
    ),
    'PERMISSION_DENIED/entry': DOWNLOAD_FORBIDDEN,
  },
  upload: {
    // The manager is not involved here: HTTP's own statuses say it best to a tus client.
    QUOTA_EXCEEDED: insufficientStorage('Quota Exceeded', 'quota/exceeded'),
    NO_SPACE: insufficientStorage('Volume Full', 'volume/full'),
    'TOO_LARGE/upload': row(
      413,
      'storage/data/invalid-length',
      'Invalid Data Length',
      'storage-proxy_request_invalid-parameters',
    ),
  },
};

/** Rows of one operation. */
export const OPERATION_ROWS: Readonly<Partial<Record<Operation, ProblemRows>>> = {
  'quota-scope.create': {
    'ALREADY_EXISTS/quota-scope': row(
      409,
      'storage/quota/scope/already-exists',
      'Quota Scope Already Exists',
      'quota-scope_create_already-exists',
      { shape: 'plain', msg: 'Volume already exists with given quota scope.' },
    ),
  },
  'folder.mount': {
    'NOT_FOUND/vfolder': row(
      400,
      'storage/vfolder/not-found',
      'VFolder Not Found',
      'vfolder_read_not-found',
      { shape: 'plain', msg: 'VFolder not found' },
    ),
    OUTSIDE_VFOLDER: row(
      400,
      'storage/subpath/invalid',
      'Invalid Subpath',
      'vfolder_access_invalid-parameters',
      { shape: 'plain', msg: 'Invalid vfolder subpath' },
    ),
  },
  'file.fetch': {
    // A bare 404 with this code is what makes the manager raise its own not-found error.
    'NOT_FOUND/entry': row(
      404,
      'storage/file-not-found',
      'File not found',
      'vfolder_read_not-found',
      { shape: 'fs' },
    ),
    'NOT_A_DIRECTORY/entry': row(
      404,
      'storage/file-not-found',
      'File not found',
      'vfolder_read_not-found',
      { shape: 'fs' },
    ),
  },
  'file.upload': {
    // Domain vfolder and 400, so that the manager tells its user.
    NO_SPACE: fsRow('unavailable', 'check-limit'),
  },
};
