/**
 * The closed list of what can go wrong, by meaning rather than by cause. Callers act on the code,
 * never on the text. `docs/errors.md` documents every row; a spec keeps the two in step.
 *
 * `meaning` is the default sentence, `recovery` what the caller should do.
 */
export const ERROR_TABLE = {
  NOT_FOUND: { meaning: 'The thing named does not exist', recovery: 'Check the name' },
  GONE: { meaning: 'The thing named existed and was removed', recovery: 'Start over' },
  ALREADY_EXISTS: { meaning: 'The name is taken', recovery: 'Choose another name' },
  NOT_EMPTY: { meaning: 'The directory holds entries', recovery: 'Empty it first' },
  NOT_A_DIRECTORY: { meaning: 'A directory was expected', recovery: 'Check the path' },
  IS_A_DIRECTORY: {
    meaning: 'A regular file was expected',
    recovery: 'Check the path, or ask for recursion',
  },
  NOT_A_FILE: {
    meaning: 'Neither a regular file nor a directory',
    recovery: 'Choose another entry',
  },
  INVALID_ARGUMENT: { meaning: 'The request is malformed', recovery: 'Fix the request' },
  OUTSIDE_VFOLDER: {
    meaning: 'The path leaves the vfolder',
    recovery: 'Use a path inside the vfolder',
  },
  PERMISSION_DENIED: {
    meaning: 'The proxy may not do this on the volume',
    recovery: 'Tell the operator',
  },
  QUOTA_EXCEEDED: {
    meaning: 'A quota limit would be exceeded',
    recovery: 'Free space or raise the limit, then retry',
  },
  NO_SPACE: { meaning: 'The volume is full', recovery: 'Free space, then retry' },
  UNSUPPORTED: { meaning: 'The volume cannot do this', recovery: 'Do not retry' },
  OFFSET_MISMATCH: {
    meaning: 'The upload stands at another offset',
    recovery: 'HEAD, then resume from there',
  },
  RANGE_NOT_SATISFIABLE: {
    meaning: 'No byte of the range exists',
    recovery: 'Ask for the current size',
  },
  PRECONDITION_FAILED: {
    meaning: 'A precondition of the request does not hold',
    recovery: 'Fetch the current state',
  },
  LOCKED: { meaning: 'Another request holds this', recovery: 'Retry later' },
  IN_PROGRESS: {
    meaning: 'The operation is past the point where it could be stopped',
    recovery: 'Wait for it',
  },
  UNAVAILABLE: { meaning: 'The volume does not answer', recovery: 'Retry with backoff' },
  UNAUTHENTICATED: { meaning: 'Credentials are missing or wrong', recovery: 'Authenticate' },
  TOKEN_EXPIRED: { meaning: 'The token has expired', recovery: 'Ask for a new token' },
  FORBIDDEN: { meaning: 'The credentials do not allow this', recovery: 'Do not retry' },
  METHOD_NOT_ALLOWED: {
    meaning: 'The path exists, the method does not',
    recovery: 'Use a method of the Allow header',
  },
  TOO_LARGE: { meaning: 'The body or file is larger than allowed', recovery: 'Send less' },
  RATE_LIMITED: { meaning: 'Too many requests', recovery: 'Retry after the time given' },
  INTERNAL: { meaning: 'A defect or an unforeseen failure', recovery: 'Report the request id' },
} as const satisfies Record<string, { meaning: string; recovery: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;
