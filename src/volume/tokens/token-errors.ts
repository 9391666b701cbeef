import { TokenError } from 'fast-jwt';
import { StorageError } from '../../errors/storage-error.js';

const { codes } = TokenError;
const BAD_SIGNATURE: ReadonlySet<string | undefined> = new Set([
  codes.invalidSignature,
  codes.missingSignature,
  codes.invalidAlgorithm,
]);
const BAD_CLAIMS: ReadonlySet<string | undefined> = new Set([
  codes.missingRequiredClaim,
  codes.invalidClaimType,
  codes.invalidClaimValue,
  codes.inactive,
]);

/** Whether another of the keys may still verify the token. */
export function isSignatureMismatch(error: unknown): boolean {
  return error instanceof TokenError && error.code === codes.invalidSignature;
}

/** What the JWT library refused, as a StorageError; the wire tells the causes apart (protocol section 4.4). */
export function tokenError(error: unknown): StorageError {
  const code = error instanceof TokenError ? error.code : undefined;
  const why = error instanceof Error ? error.message : String(error);
  const data = { token: `cannot decode the given value as JWT: ${why}` };
  const cause = { cause: error };
  if (code === codes.expired) {
    return new StorageError('TOKEN_EXPIRED', undefined, { subject: 'token', data }, cause);
  }
  const reason = BAD_SIGNATURE.has(code)
    ? 'token-signature'
    : BAD_CLAIMS.has(code)
      ? 'token-claims'
      : 'token-undecodable';
  const details = { subject: 'token', reason, data } as const;
  return new StorageError('UNAUTHENTICATED', 'the token cannot be accepted', details, cause);
}

/** A claim of a genuine token does not fit. */
export function claimError(claim: string, reason: string): StorageError {
  return new StorageError('UNAUTHENTICATED', `the token's ${claim}: ${reason}`, {
    subject: 'token',
    reason: 'token-claims',
    data: { token: { [claim]: reason } },
  });
}
