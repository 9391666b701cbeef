import type { Valkey } from '../valkey/valkey.js';
import { broadcastText, streamFields } from './encode-event.js';
import type { ClusterEvent } from './event.js';

/** Names and numbers of protocol section 8.2. */
const STREAM = 'events';
const STREAM_LENGTH = 128;
const CHANNEL = 'events_all';
const CACHE_SECONDS = 300;
/** The consumer group that all managers share. */
const MANAGERS = 'manager';

/** Ours alone: that an event was sent, and as which entry, so that it is not sent twice after a crash. */
const MARKER_SECONDS = 86_400;

/**
 * Adds a stream entry unless that was done before, and tells where it stands. In one step, so that an event
 * whose sender died right after, or did not get the answer, is not added again.
 *
 * KEYS: stream, marker. ARGV: group, marker's lifetime, length, id of the entry to add again unless somebody else has
 * done so by now (or ""), fields of the entry.
 * Returns its id; "1" when the group has existed ever since; the last id the group got, or ""; and 1 while
 * the entry is still in the stream.
 */
const ADD_ONCE = `
local function delivered()
  local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
  if groups.err then return '' end
  for _, group in ipairs(groups) do
    local name, last
    for i = 1, #group, 2 do
      if group[i] == 'name' then name = group[i + 1] end
      if group[i] == 'last-delivered-id' then last = group[i + 1] end
    end
    if name == ARGV[1] then return last end
  end
  return ''
end
local known = redis.call('GET', KEYS[2])
local id, heard, there
if known then id, heard = string.match(known, '^(%S+) (%d)$') end
if id and id ~= ARGV[4] then
  there = #redis.call('XRANGE', KEYS[1], id, id)
else
  id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, 5))
  heard, there = '1', 1
end
local last = delivered()
if last == '' then heard = '0' end
redis.call('SET', KEYS[2], id .. ' ' .. heard, 'EX', ARGV[2])
return {id, heard, last, there}
`;

/** Where a stream entry stands. */
export interface Posted {
  /** Of its entry. */
  readonly id: string;
  /** A manager has got it. */
  readonly isDelivered: boolean;
  /**
   * No manager may get it any more: trimmed, maybe before it was read, or added while the group did not
   * exist, which starts at what comes after it.
   */
  readonly isLost: boolean;
}

/** Puts events where managers look for them. Rejects with UNAVAILABLE when Valkey cannot be used. */
export class EventWire {
  constructor(private readonly valkey: Valkey) {}

  get isReady(): boolean {
    return this.valkey.isReady('events');
  }

  /** @param insteadOf id of an earlier entry of the event, behind which it is added again if that is still its last */
  async post(event: ClusterEvent, { insteadOf = '' } = {}): Promise<Posted> {
    const [id, heard, last, there] = await this.valkey.run(
      'events',
      (client) =>
        client.eval(
          ADD_ONCE,
          2,
          STREAM,
          `storage-proxy.event:${event.job}.${event.name}`,
          MANAGERS,
          MARKER_SECONDS,
          STREAM_LENGTH,
          insteadOf,
          ...streamFields(event),
        ) as Promise<[id: string, heard: string, last: string, there: number]>,
    );
    const hasGroup = last !== '';
    const isDelivered = hasGroup && heard === '1' && there === 1 && compareIds(last, id) >= 0;
    const isLost = hasGroup && !isDelivered && (heard === '0' || there === 0);
    return { id, isDelivered, isLost };
  }

  /** Tells watchers now, and those that come within five minutes. */
  async broadcast(event: ClusterEvent): Promise<void> {
    const text = broadcastText(event);
    await this.valkey.run('events', async (client) => {
      const results = await client
        .pipeline()
        .set(`bgtask.${event.job}`, text, 'EX', CACHE_SECONDS)
        .publish(CHANNEL, text)
        .exec();
      for (const [error] of results ?? []) if (error) throw error;
    });
  }
}

/** Stream ids are `<milliseconds>-<counter>`. */
export function compareIds(a: string, b: string): number {
  const [aMs = '0', aCount = '0'] = a.split('-');
  const [bMs = '0', bCount = '0'] = b.split('-');
  return Number(aMs) - Number(bMs) || Number(aCount) - Number(bCount);
}
