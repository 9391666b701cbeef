import { loggerFor } from '../../observability/logger.js';
import type { Job } from '../../volume/jobs/job.js';
import { LogJobPublisher } from '../../volume/jobs/job-publisher.js';
import type { VolumeRegistry } from '../../volume/volume-registry.js';
import type { Volume } from '../../volume/volume.js';
import type { Valkey } from '../valkey/valkey.js';
import { EventWire } from './event-wire.js';
import type { ClusterEvent } from './event.js';
import * as events from './job-events.js';
import { Outbox } from './outbox.js';
import { OutboxDelivery, type Leftover } from './outbox-delivery.js';

const log = loggerFor('events');

/** When to look at an outbox again; how long things take that only other proxies do. */
const EVERY_MS = 15_000;
const HELD_MS = 200;
/** A manager reads within milliseconds when it is there, and may be away for days. */
const FIRST_UNREAD_MS = 250;

/** The outbox of a volume, and when it is looked at next. */
interface Watched {
  readonly outbox: Outbox;
  readonly delivery: OutboxDelivery;
  timer?: NodeJS.Timeout;
  unreadMs: number;
}

/**
 * Tells managers what becomes of jobs, and the log as well. Ends go through the outbox of the job's volume:
 * once they are written there they cannot be lost, and are sent as soon as Valkey can be reached, by
 * whichever worker or host gets to it.
 */
export class EventPublisher extends LogJobPublisher {
  readonly #wire: EventWire;
  readonly #watched = new Map<Volume, Watched>();
  #registry: VolumeRegistry | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(private readonly valkey: Valkey) {
    super();
    this.#wire = new EventWire(valkey);
  }

  /** Knows the volumes from now on, and sends what waits on them. */
  start(registry: VolumeRegistry): void {
    this.#registry = registry;
    registry.onUsable((volume) => this.look(volume));
    this.valkey.whenReady('events', () => this.lookEverywhere());
    this.#timer = setInterval(() => this.lookEverywhere(), EVERY_MS).unref();
    this.lookEverywhere();
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    for (const { timer } of this.#watched.values()) clearTimeout(timer);
  }

  override async jobUpdated(job: Job): Promise<void> {
    await super.jobUpdated(job);
    if (this.#wire.isReady) await this.#wire.broadcast(events.jobUpdated(job));
  }

  override async vfolderDeleted(job: Job): Promise<void> {
    await super.vfolderDeleted(job);
    await this.tell(job, events.vfolderDeleted(job));
  }

  override async vfolderDeletionFailed(job: Job, message: string): Promise<void> {
    await super.vfolderDeletionFailed(job, message);
    await this.tell(job, events.vfolderDeletionFailed(job, message));
  }

  override async cloneSucceeded(job: Job): Promise<void> {
    await super.cloneSucceeded(job);
    await this.tell(job, events.cloneSucceeded(job));
  }

  override async cloneFailed(job: Job, message: string): Promise<void> {
    await super.cloneFailed(job, message);
    await this.tell(job, events.cloneFailed(job, message));
  }

  override async jobDone(job: Job, message: string): Promise<void> {
    await super.jobDone(job, message);
    await this.tell(job, events.jobEnded(job, 'bgtask_done', message));
  }

  override async jobFailed(job: Job, message: string): Promise<void> {
    await super.jobFailed(job, message);
    await this.tell(job, events.jobEnded(job, 'bgtask_failed', message));
  }

  override async jobCancelled(job: Job, message: string): Promise<void> {
    await super.jobCancelled(job, message);
    await this.tell(job, events.jobEnded(job, 'bgtask_cancelled', message));
  }

  /** Resolves when the event cannot be lost any more. Rejects when it could neither be written down nor sent. */
  private async tell(job: Job, event: ClusterEvent): Promise<void> {
    if (this.valkey.isAbsent) return;
    const volume = this.#registry?.get(job.volume);
    try {
      if (volume === undefined || volume.isNoop) return await this.sendNow(event);
      await new Outbox(volume).append(event);
    } catch (error) {
      // The volume is full, or away.
      await this.sendNow(event).catch(() => {
        throw error;
      });
      return;
    }
    this.look(volume);
  }

  private async sendNow(event: ClusterEvent): Promise<void> {
    if (event.kind === 'anycast') await this.#wire.post(event);
    else await this.#wire.broadcast(event);
  }

  private lookEverywhere(): void {
    const volumes = this.#registry?.all() ?? [];
    for (const [volume, { timer }] of this.#watched) {
      if (volumes.includes(volume)) continue;
      clearTimeout(timer);
      this.#watched.delete(volume);
    }
    for (const volume of volumes) if (volume.isUsable) this.look(volume);
  }

  private look(volume: Volume): void {
    if (this.#stopped || volume.isNoop) return;
    const watched = this.watched(volume);
    clearTimeout(watched.timer);
    watched.unreadMs = FIRST_UNREAD_MS;
    void this.round(volume, watched);
  }

  private watched(volume: Volume): Watched {
    const known = this.#watched.get(volume);
    if (known) return known;
    const outbox = new Outbox(volume);
    const delivery = new OutboxDelivery(outbox, this.#wire);
    const watched = { outbox, delivery, unreadMs: FIRST_UNREAD_MS };
    this.#watched.set(volume, watched);
    return watched;
  }

  private async round(volume: Volume, watched: Watched): Promise<void> {
    let leftover: Leftover;
    try {
      leftover = await watched.delivery.round();
    } catch (error) {
      log.debug('the outbox of a volume cannot be read', { volume: volume.name, err: error });
      return;
    }
    const delayMs = nextLookMs(leftover, watched.unreadMs);
    if (this.#stopped || delayMs === null) return;
    if (leftover === 'unread') watched.unreadMs = Math.min(watched.unreadMs * 2, EVERY_MS);
    clearTimeout(watched.timer);
    watched.timer = setTimeout(() => void this.round(volume, watched), delayMs).unref();
  }
}

/** `null`: at the next turn of all volumes, or when Valkey is back. */
function nextLookMs(leftover: Leftover, unreadMs: number): number | null {
  if (leftover === 'held') return HELD_MS;
  return leftover === 'unread' ? unreadMs : null;
}
