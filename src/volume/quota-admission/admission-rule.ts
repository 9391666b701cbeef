/** What one upload of a quota root has claimed of it. */
export interface Claim {
  readonly session: string;
  readonly declaredBytes: number;
  /** When it was made, nanoseconds since the epoch by some host's clock. */
  readonly madeAtNs: bigint;
  /** `ended`: in place, but perhaps not counted as used yet. */
  readonly state: 'running' | 'ended';
  /** Of a running one, what has come. */
  readonly stagedBytes: number;
  /** Of that, what is counted as used for certain. Less than all where the usage lags behind. */
  readonly countedBytes: number;
}

export interface Usage {
  readonly usedBytes: number;
  readonly limitBytes: number;
  /** How old the figure may be, and what it counts deleted since, milliseconds. */
  readonly lagMs: number;
}

/**
 * `doubtful`: it may fit in a moment, when claims made at the same time are given up, or the usage has followed what
 * was written and deleted.
 */
export type Verdict = 'admitted' | 'doubtful' | 'refused';

/**
 * Whether the upload `session`, whose own claim is among `claims`, fits.
 *
 * Every upload writes its claim first and looks then, so of two that are admitted one has seen the other: what all
 * have claimed never exceeds the limit, whatever the clocks of the hosts say. Time only decides who gives way: of
 * claims that do not fit together the later ones (by time, then by session) are refused, and the earlier ones
 * are doubtful until they have gone. Where the usage lags behind, an upload is admitted only when it fits with
 * everything counted that may not be in the usage yet, and refused at once only when no deletion could help.
 */
export function judge(session: string, claims: readonly Claim[], usage: Usage): Verdict {
  const own = claims.find((claim) => claim.session === session);
  // Gone with its staging file: whoever sends a byte is told that there is no such upload.
  if (own === undefined) return 'admitted';
  const free = usage.limitBytes - usage.usedBytes - own.declaredBytes;
  const others = claims.filter((claim) => claim !== own);
  if (sum(others, uncounted) <= free) return 'admitted';
  const certain = others.filter((claim) => claim.state === 'running' && isBefore(claim, own));
  const freeAtMost = usage.lagMs > 0 ? usage.limitBytes - own.declaredBytes : free;
  return sum(certain, stillToCome) > freeAtMost ? 'refused' : 'doubtful';
}

/** What the claims may still add to the usage. */
export function outstandingBytes(session: string, claims: readonly Claim[]): number {
  return sum(
    claims.filter((claim) => claim.session !== session),
    uncounted,
  );
}

function sum(claims: readonly Claim[], of: (claim: Claim) => number): number {
  return claims.reduce((total, claim) => total + of(claim), 0);
}

function uncounted({ state, declaredBytes, countedBytes }: Claim): number {
  return state === 'ended' ? declaredBytes : Math.max(0, declaredBytes - countedBytes);
}

function stillToCome({ declaredBytes, stagedBytes }: Claim): number {
  return Math.max(0, declaredBytes - stagedBytes);
}

function isBefore(a: Claim, b: Claim): boolean {
  if (a.madeAtNs !== b.madeAtNs) return a.madeAtNs < b.madeAtNs;
  return a.session < b.session;
}
