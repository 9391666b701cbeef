import type { PeerPolicy } from '../../agent/server/peer-policy.js';
import type { SocketSettings } from '../../agent/server/listen.js';
import type { Settings } from '../../config/settings.js';
import { groupId, userId, type Identity } from '../primary/identity.js';

/** How an agent listens and whom it serves. */
export interface AgentDoor {
  readonly socket: SocketSettings;
  readonly peers: PeerPolicy;
}

/** The door of `storage-proxy agent`. `proxy` is whom the workers run as. @throws Error naming the key of an unknown account */
export function configuredDoor({ agent }: Settings, proxy: Identity): AgentDoor {
  const { socket, owner, group, mode, allowedUsers, allowedGroups } = agent;
  const own = { uid: process.geteuid!(), gid: process.getegid!() };
  return {
    socket: {
      path: socket,
      uid: owner === undefined ? own.uid : userId('agent.owner', owner),
      gid: group === undefined ? (proxy.gid ?? own.gid) : groupId('agent.group', group),
      mode: Number.parseInt(mode, 8),
    },
    peers: {
      uids: allowedUsers?.map((user) => userId('agent.allowed-users', user)) ?? [
        proxy.uid ?? own.uid,
      ],
      gids: allowedGroups.map((name) => groupId('agent.allowed-groups', name)),
    },
  };
}

/** The door of an agent that only the workers of one `serve` use, on a socket of their own. */
export function privateDoor(path: string, { uid, gid }: Identity): AgentDoor {
  const own = { uid: process.geteuid!(), gid: process.getegid!() };
  return {
    socket: { path, uid: uid ?? own.uid, gid: gid ?? own.gid, mode: 0o600 },
    peers: { uids: [uid ?? own.uid], gids: [] },
  };
}
