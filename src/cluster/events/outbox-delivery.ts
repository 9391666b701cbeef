import { setTimeout as sleep } from 'node:timers/promises';
import { loggerFor } from '../../observability/logger.js';
import { setWaitingEvents } from '../../observability/metrics.js';
import { NO_LOCK, type JobLock } from '../../volume/jobs/job-lock.js';
import { compareIds, type EventWire } from './event-wire.js';
import type { ClusterEvent } from './event.js';
import type { Outbox, OutboxEntry } from './outbox.js';

const log = loggerFor('events');

/** Whoever waits for events this old has been helped by an operator long ago. */
const MAX_AGE_MS = 7 * 86_400_000;

/** A manager that is there reads within milliseconds, and a busy stream may be trimmed soon after that. */
const GLANCES_MS = [20, 100];

/** The lock of a host that died while it sent stays for minutes on some filesystems, for ever on NFSv3. */
const HELD_PATIENCE_MS = 30_000;

/** What is left after a round: when to look again. */
export type Leftover = 'nothing' | 'unread' | 'held' | 'unreachable';

/**
 * Empties the outbox of one volume. Entries go out in order, and each stays until a manager has got it, so
 * that one that was trimmed from the stream before, or added before the first manager came, is sent again;
 * together with the later ones of the same vfolder, which keeps what managers hear of it in order.
 */
export class OutboxDelivery {
  #running: Promise<Leftover> | null = null;
  readonly #read = new Map<string, ClusterEvent>();
  /** Which event was waiting first when somebody else had the lock, and since when. */
  #held: { readonly first: string; readonly sinceMs: number } | null = null;

  constructor(
    private readonly outbox: Outbox,
    private readonly wire: EventWire,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** One round; joins the one that is under way. Rejects when the volume cannot be used. */
  async round(): Promise<Leftover> {
    this.#running ??= this.deliver().finally(() => {
      this.#running = null;
    });
    return await this.#running;
  }

  private async deliver(): Promise<Leftover> {
    const { name } = this.outbox.volume;
    const waiting = await this.outbox.entries();
    setWaitingEvents(name, waiting.length);
    if (waiting.length === 0) return 'nothing';
    if (!this.wire.isReady) return 'unreachable';
    const lock = await this.lock(waiting[0]!);
    if (lock === null) return 'held';
    try {
      // Again, under the lock: whoever held it may have sent all of them.
      let left = await this.send(await this.outbox.entries());
      for (const pauseMs of GLANCES_MS) {
        if (left === 0) break;
        await sleep(pauseMs);
        left = await this.send(await this.outbox.entries());
      }
      setWaitingEvents(name, left);
      return left === 0 ? 'nothing' : 'unread';
    } catch (error) {
      log.debug('events could not be sent', { volume: name, err: error });
      return 'unreachable';
    } finally {
      await lock.release();
    }
  }

  /**
   * Without the lock when whoever has it does nothing with it. Two may send then, which does no harm: an entry of the
   * stream is added once, and added again once, whoever does it.
   */
  private async lock({ name }: OutboxEntry): Promise<JobLock | null> {
    const lock = await this.outbox.lock();
    if (lock !== null) {
      this.#held = null;
      return lock;
    }
    if (this.#held?.first !== name) this.#held = { first: name, sinceMs: this.nowMs() };
    return this.nowMs() - this.#held.sinceMs >= HELD_PATIENCE_MS ? NO_LOCK : null;
  }

  /** Returns how many stay. */
  private async send(entries: readonly OutboxEntry[]): Promise<number> {
    /** Vfolders of which an earlier event waits to be read. */
    const unread = new Set<string>();
    /** Where in the stream the last event of a vfolder stands that was sent again. */
    const repeated = new Map<string, string>();
    let left = 0;
    for (const entry of entries) {
      const event = await this.event(entry);
      if (event === undefined) continue;
      const done =
        Date.now() - entry.writtenAt.getTime() > MAX_AGE_MS
          ? this.giveUp(entry)
          : event.kind === 'broadcast'
            ? await this.wire.broadcast(event).then(() => true)
            : await this.post(event, unread, repeated);
      if (done) await this.remove(entry);
      else left += 1;
    }
    return left;
  }

  private async post(
    event: ClusterEvent,
    unread: Set<string>,
    repeated: Map<string, string>,
  ): Promise<boolean> {
    const posted = await this.wire.post(event);
    // One that comes before it was sent again; whoever sends beside us may have repeated both.
    const isOutOfOrder = event.folders.some(
      (folder) => compareIds(posted.id, repeated.get(folder) ?? posted.id) < 0,
    );
    // After the earlier one only, which the same round may have found on its way before the first manager came.
    const isNext = !event.folders.some((folder) => unread.has(folder));
    if (!isOutOfOrder && !(posted.isLost && isNext)) {
      return this.settled(event, posted.isDelivered, unread);
    }
    const { id, isDelivered } = await this.wire.post(event, { insteadOf: posted.id });
    for (const folder of event.folders) repeated.set(folder, id);
    return this.settled(event, isDelivered, unread);
  }

  /** It may go when a manager has got it and nothing before it has to be sent again. */
  private settled(event: ClusterEvent, isDelivered: boolean, unread: Set<string>): boolean {
    if (isDelivered && !event.folders.some((folder) => unread.has(folder))) return true;
    for (const folder of event.folders) unread.add(folder);
    return false;
  }

  private giveUp(entry: OutboxEntry): boolean {
    log.warn('An event is dropped: no manager has read it for a week', { entry: entry.id });
    return true;
  }

  private async event(entry: OutboxEntry): Promise<ClusterEvent | undefined> {
    const event = this.#read.get(entry.name) ?? (await this.outbox.read(entry));
    if (event) this.#read.set(entry.name, event);
    return event;
  }

  private async remove(entry: OutboxEntry): Promise<void> {
    await this.outbox.remove(entry);
    this.#read.delete(entry.name);
  }
}
