import { Inject, Injectable } from '@nestjs/common';
import { loggerFor } from '../../observability/logger.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import { VolumeRegistry } from '../volume-registry.js';
import type { Volume } from '../volume.js';
import { WORKER_DIED, WorkerBus } from '../worker-bus.js';
import { JobRunner } from './job-runner.js';
import { JobTasks } from './job-tasks.js';
import { Takeover } from './takeover.js';
import { VolumeRecovery, type Look } from './volume-recovery.js';

/** How often the whole volume is. */
const JOURNAL_EVERY_MS = 3_600_000;

/**
 * Brings up what an earlier run of the proxy, a dead worker or a dead host has left: when a volume becomes
 * usable, when a worker dies, and every now and then.
 */
@Injectable()
export class JobRecovery {
  readonly #log = loggerFor('jobs');
  readonly #takeover: Takeover;
  readonly #volumes = new Map<Volume, VolumeRecovery>();
  readonly #endings: (() => void)[] = [];
  #due: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
    @Inject(WorkerBus) private readonly bus: WorkerBus,
    private readonly registry: VolumeRegistry,
    private readonly tasks: JobTasks,
    private readonly runner: JobRunner,
  ) {
    this.#takeover = new Takeover(settings.nodeId, settings.jobs.expiredAfterMs);
  }

  /** Begins to look after the volumes. Returns at once. */
  start(): void {
    this.#endings.push(
      this.registry.onUsable((volume) => this.recover(volume, 'journal')),
      this.bus.subscribe(WORKER_DIED, () => this.recoverAll('journal')),
      // As often as the owners of jobs give a sign of life.
      every(this.settings.jobs.heartbeatMs, () => this.recoverAll('records')),
      every(JOURNAL_EVERY_MS, () => this.recoverAll('journal')),
    );
    this.recoverAll('journal');
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#due);
    for (const end of this.#endings.splice(0)) end();
  }

  private recoverAll(what: Look): void {
    const volumes = this.registry.all();
    for (const known of this.#volumes.keys()) {
      if (!volumes.includes(known)) this.#volumes.delete(known);
    }
    for (const volume of volumes) if (volume.isUsable) this.recover(volume, what);
  }

  private recover(volume: Volume, what: Look): void {
    if (this.#stopped || volume.isNoop) return;
    let recovery = this.#volumes.get(volume);
    if (recovery === undefined) {
      const { retentionMs } = this.settings.jobs;
      const { tasks, runner } = this;
      recovery = new VolumeRecovery(volume, {
        tasks,
        runner,
        retentionMs,
        takeover: this.#takeover,
        isStopped: () => this.#stopped,
      });
      this.#volumes.set(volume, recovery);
    }
    recovery.look(what).then(
      () => this.lookWhenDue(),
      (error: unknown) =>
        this.#log.warn('jobs could not be recovered', { volume: volume.name, err: error }),
    );
  }

  /** Not only at the next turn, which would come up to one interval later. */
  private lookWhenDue(): void {
    clearTimeout(this.#due);
    const dueInMs = this.#takeover.dueInMs();
    if (this.#stopped || dueInMs === undefined) return;
    this.#due = setTimeout(() => this.recoverAll('records'), Math.ceil(dueInMs)).unref();
  }
}

function every(intervalMs: number, work: () => void): () => void {
  const timer = setInterval(work, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
