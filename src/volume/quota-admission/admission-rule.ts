/** What one upload of a quota root has claimed of it. */
export interface Claim {
  readonly session: string;
  readonly declaredBytes: number;
  /** When it was made, nanoseconds since the epoch by some host's clock. */
  readonly madeAtNs: bigint;
  /** `ended`: in place, but perhaps not counted as used yet. */
  readonly state: 'running' | 'ended';
  /** Of a running one, what has come and so is counted as used. */
  readonly stagedBytes: number;
}

export interface Usage {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

/** `doubtful`: it may fit in a moment, when claims made at the same time are given up, or ended ones are counted. */
export type Verdict = 'admitted' | 'doubtful' | 'refused';

/**
 * Whether the upload `session`, whose own claim is among `claims`, fits.
 *
 * Every upload writes its claim first and looks then, so of two that are admitted one has seen the other: what all
 * have claimed never exceeds the limit, whatever the clocks of the hosts say. Time only decides who gives way: of
 * claims that do not fit together the later ones (by time, then by session) are refused, and the earlier ones
 * are doubtful until they have gone.
 */
export function judge(session: string, claims: readonly Claim[], usage: Usage): Verdict {
  const own = claims.find((claim) => claim.session === session);
  // Gone with its staging file: whoever sends a byte is told that there is no such upload.
  if (own === undefined) return 'admitted';
  const free = usage.limitBytes - usage.usedBytes - own.declaredBytes;
  const others = claims.filter((claim) => claim !== own);
  if (sum(others) <= free) return 'admitted';
  const certain = others.filter((claim) => claim.state === 'running' && isBefore(claim, own));
  return sum(certain) > free ? 'refused' : 'doubtful';
}

/** What the claims will still add to the usage. */
export function outstandingBytes(session: string, claims: readonly Claim[]): number {
  return sum(claims.filter((claim) => claim.session !== session));
}

function sum(claims: readonly Claim[]): number {
  return claims.reduce((total, claim) => total + outstanding(claim), 0);
}

function outstanding({ state, declaredBytes, stagedBytes }: Claim): number {
  return state === 'ended' ? declaredBytes : Math.max(0, declaredBytes - stagedBytes);
}

function isBefore(a: Claim, b: Claim): boolean {
  if (a.madeAtNs !== b.madeAtNs) return a.madeAtNs < b.madeAtNs;
  return a.session < b.session;
}
