import { UPLOAD_DIRECTORY } from '../ids/layout.js';
import { isSessionId } from '../ids/session-id.js';

/** Modes before the umask (protocol section 2.7); the staging file becomes the uploaded file. */
export const UPLOAD_DIRECTORY_MODE = 0o777;
export const STAGING_MODE = 0o666;
export const RECORD_MODE = 0o600;

export const UPLOAD_PATH = Buffer.from(UPLOAD_DIRECTORY);

const KINDS = new Map<string, UploadEntryKind>([
  ['.offset', 'offset'],
  ['.done', 'done'],
  ['.copy', 'copy'],
  ['.moved', 'moved'],
]);
const NAME = /^([0-9a-f]{32})(|\.offset|\.done|\.copy|\.moved)$/;

/**
 * The names of one upload in `.upload`:
 * - `<session>`: the bytes so far, which is where other generations look for them (protocol section 2.6);
 * - `<session>.offset`: how many of them are known to be on stable storage;
 * - `<session>.done`: that record under another name, once every byte is. Without a staging file beside
 *   it, the upload is finished.
 *
 * Beside them `<id>.copy` and `<id>.moved` tell of copies across a border of quotas; see copy-record.ts.
 */
export interface UploadNames {
  readonly staging: Buffer;
  readonly offset: Buffer;
  readonly done: Buffer;
}

export type UploadEntryKind = keyof UploadNames | 'copy' | 'moved';

/** `undefined` for what is no session id, and so must not become a file name. */
export function uploadNames(session: string): UploadNames | undefined {
  if (!isSessionId(session)) return undefined;
  return {
    staging: Buffer.from(session),
    offset: Buffer.from(`${session}.offset`),
    done: Buffer.from(`${session}.done`),
  };
}

/** Which upload an entry of `.upload` belongs to; `undefined` for what is not ours. */
export function parseUploadName(
  name: Buffer,
): { session: string; kind: UploadEntryKind } | undefined {
  const [, session, suffix] = NAME.exec(name.toString('latin1')) ?? [];
  if (session === undefined) return undefined;
  return { session, kind: KINDS.get(suffix ?? '') ?? 'staging' };
}
