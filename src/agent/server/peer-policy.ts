import type { PeerCredentials } from '../../native/peer-credentials.js';

/** Whom an agent serves. */
export interface PeerPolicy {
  readonly uids: readonly number[];
  /** A peer that is a member of one of these groups is served too. */
  readonly gids: readonly number[];
}

/** Whether the peer may use the agent. Root always may: it could do everything itself. */
export function admits({ uids, gids }: PeerPolicy, peer: PeerCredentials): boolean {
  if (peer.uid === 0 || uids.includes(peer.uid)) return true;
  return peer.gids.some((gid) => gids.includes(gid));
}
