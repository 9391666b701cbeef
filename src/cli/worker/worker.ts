import type { LabelledSecret } from '../../config/credentials.js';
import { settingsFromJson, type Settings } from '../../config/settings.js';
import { ServingState } from '../../health/serving-state.js';
import {
  configureAudit,
  flushAudit,
  flushAuditNow,
  reopenAudit,
} from '../../observability/audit/audit.js';
import { loggerFor, setLogLevel } from '../../observability/logger.js';
import { collectProcessMetrics, snapshotMetrics } from '../../observability/metrics.js';
import { protectSecrets } from '../../observability/redact.js';
import { installation } from '../installation.js';
import { forbidCoreDumps } from '../../native/resource-limits.js';
import { Channel } from '../ipc/channel.js';
import { IpcWorkerBus } from '../ipc/ipc-worker-bus.js';
import { portOfPrimary } from '../ipc/ports.js';
import type { PrimaryLink, WorkerBrief, WorkerUpdate } from '../ipc/protocol.js';
import { pinoLevel } from '../../config/log-level.js';
import { configureLoggingFrom } from '../logging.js';
import { ClusterGroup } from './cluster-group.js';
import { openCore, type Core } from './core.js';
import { drain, type DrainTimes } from './drain.js';
import { openPlanes, type Planes } from './planes.js';
import { assertPrimaryLives, endNow, obeyPrimary } from './self-care.js';

const log = loggerFor('worker');
const BRIEF_DEADLINE_MS = 30_000;
/** How long listeners stay closed for the sake of volumes that take their time. */
const OPEN_PATIENCE_MS = 3_000;
/** For closing volumes and stopping jobs; what takes longer is resumed by the next start. */
const CLOSE_DEADLINE_MS = 2_000;
/** For the last records; a sink that takes longer has filled up. */
const AUDIT_DEADLINE_MS = 1_000;

/**
 * One of the processes that do the work: a core with the volumes, and three listeners over it. Lives as the
 * primary says, and keeps nothing that another worker would need.
 */
export class Worker {
  readonly #primary: PrimaryLink = new Channel(portOfPrimary(process));
  readonly #bus = new IpcWorkerBus(this.#primary);
  readonly #serving = new ServingState();
  readonly #group = new ClusterGroup(this.#primary, () => this.#core?.volumeStates() ?? []);
  #core: Core | undefined;
  #planes: Planes | undefined;
  /** The last update that came before the worker was ready for it. */
  #update: WorkerUpdate | undefined;
  #managerSecrets: readonly LabelledSecret[] = [];
  #ending = false;

  start(): void {
    obeyPrimary();
    process.on('uncaughtException', (error) => this.fail(error));
    this.listenToPrimary();
    this.boot().catch((error: unknown) => this.fail(error));
  }

  private listenToPrimary(): void {
    this.#primary.onQuestion('ping', () => null);
    this.#primary.onQuestion('volumes', () => this.#core?.volumeStates() ?? []);
    this.#primary.onQuestion('metrics', () => snapshotMetrics());
    this.#primary.onNotice('probe', (report) => {
      this.#group.probed(report);
      this.#core?.probed(report);
    });
    this.#primary.onNotice('update', (update) => this.take(update));
    this.#primary.onNotice('drain', (times) => void this.drain(times));
    this.#primary.onNotice('hurry', () => void this.close());
  }

  private async boot(): Promise<void> {
    const brief = await this.#primary.ask('brief', null, BRIEF_DEADLINE_MS);
    assertPrimaryLives(brief.primaryPid);
    const settings = settingsFromJson(brief.settings);
    prepareProcess(brief, settings);
    this.useSecrets(settings);
    for (const report of brief.probes) this.#group.probed(report);

    const { strictVolumes } = settings.server;
    // A volume that hangs must not keep the others from being served.
    this.#core = await openCore(settings, this.#bus, {
      agent: brief.agent,
      ...(!strictVolumes && { patienceMs: OPEN_PATIENCE_MS }),
    });
    for (const report of this.#group.probes()) this.#core.probed(report);
    if (strictVolumes) this.#core.assertAllUsable();
    this.#planes = await openPlanes(settings, brief.tls, {
      group: this.#group,
      serving: this.#serving,
      volumes: this.#core.volumes,
      services: () => this.#core?.cluster.states() ?? [],
      version: installation.version,
      managerSecrets: () => this.#managerSecrets,
    });
    if (this.#ending) return;
    if (this.#update) this.take(this.#update);
    this.#core.start({ first: brief.worker === 1 });
    this.#serving.serving();
    this.#primary.tell('serving', null);
  }

  private useSecrets({ credentials: { managerSecrets, all } }: Settings): void {
    protectSecrets(all);
    this.#managerSecrets = managerSecrets;
  }

  /** Certificates, secrets, log level and volumes; the rest waits for a restart. */
  private take(update: WorkerUpdate): void {
    this.#update = update;
    if (!this.#core || !this.#planes) return;
    const settings = settingsFromJson(update.settings);
    setLogLevel(pinoLevel(settings));
    void reopenAudit();
    this.useSecrets(settings);
    this.#planes.renewTls(update.tls);
    this.#core.reload(settings).catch((error: unknown) => {
      log.error('Volumes could not be read again', { err: error });
    });
  }

  private async drain(times: DrainTimes): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    const steps = {
      planes: this.#planes?.drainable ?? [],
      draining: () => this.#serving.draining(),
      quiesce: async () => this.#core?.quiesce(times.timeoutMs),
    };
    const quiet = await drain(steps, times);
    if (!quiet) log.warn('Some requests did not end in time and are cut off');
    await this.close();
  }

  /** Closes the volumes as far as they let themselves be closed, and ends. */
  private async close(): Promise<void> {
    this.#ending = true;
    await this.#core?.close(CLOSE_DEADLINE_MS);
    await flushAudit(AUDIT_DEADLINE_MS);
    endNow();
  }

  private fail(error: unknown): void {
    log.fatal('Worker cannot go on', { err: error });
    flushAuditNow();
    const reason = error instanceof Error ? error.message : String(error);
    // The notice is written before the process is gone: the pipe's writes are synchronous on Linux.
    this.#primary.tell('failed', { reason });
    endNow();
  }
}

function prepareProcess({ worker }: WorkerBrief, settings: Settings): void {
  process.title = `storage-proxy: worker ${worker}`;
  forbidCoreDumps();
  process.umask(Number.parseInt(settings.server.umask, 8));
  configureLoggingFrom(settings, { worker });
  beginAudit(worker, settings);
  collectProcessMetrics();
}

/** @throws Error naming the key when the file cannot be opened */
function beginAudit(worker: number, { audit: { sink, file, reads } }: Settings): void {
  try {
    configureAudit({ sink, file, reads, worker });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`audit.file: cannot be opened by the workers: ${reason}`, { cause });
  }
}
