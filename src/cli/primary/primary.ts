import type { LoadedSettings } from '../../config/load-settings.js';
import { settingsToJson, type Settings } from '../../config/settings.js';
import { proberForker } from '../../health/probe/fork-prober.js';
import { ProbeSupervisor } from '../../health/probe/probe-supervisor.js';
import type { ProbeReport } from '../../health/probe/probe-report.js';
import { loggerFor, setLogLevel } from '../../observability/logger.js';
import {
  countWorkerRestart,
  forgetVolume,
  setVolumeHealth,
  snapshotMetrics,
} from '../../observability/metrics.js';
import { protectSecrets } from '../../observability/redact.js';
import type { WorkerUpdate } from '../ipc/protocol.js';
import { pinoLevel } from '../../config/log-level.js';
import { AgentArrangement } from '../agent/agent-arrangement.js';
import type { Identity } from './identity.js';
import { needingRestart } from './needing-restart.js';
import { readTlsMaterial } from './tls-material.js';
import { WorkerGroup } from './worker-group.js';

const log = loggerFor('primary');
/** One Ctrl-C reaches us twice under npm: from the terminal, and handed on by npm. */
const SAME_SIGNAL_MS = 1_000;

export interface PrimaryOptions {
  readonly loaded: LoadedSettings;
  /** Reads the configuration again. @throws ConfigError */
  readonly reload: () => LoadedSettings;
  readonly identity: Identity;
  /** Compiled entries of the child processes. */
  readonly workerEntry: string;
  readonly proberEntry: string;
  readonly agentEntry: string;
  /** Off where somebody may stop at a breakpoint. */
  readonly watchdog: boolean;
}

/**
 * The process that keeps its user: it reads keys, binds (through node:cluster), starts workers and probers,
 * passes messages on, and ends everything in order. It touches no volume and parses no request, so that
 * neither can hurt it.
 */
export class Primary {
  readonly #group: WorkerGroup;
  readonly #probes: ProbeSupervisor;
  readonly #agent: AgentArrangement;
  #settings: Settings;
  #update: WorkerUpdate;
  #ending: Promise<void> | undefined;
  #endingSince = 0;

  /** @throws Error when certificates cannot be used */
  constructor(private readonly options: PrimaryOptions) {
    const { loaded, identity, workerEntry, proberEntry, watchdog } = options;
    this.#settings = loaded.settings;
    this.#update = updateFrom(loaded.settings);
    const { health, storageProxy, server } = loaded.settings;
    this.#probes = new ProbeSupervisor(
      { intervalMs: health.probeIntervalMs, deadlineMs: health.probeTimeoutMs },
      proberForker(proberEntry, identity),
      (report) => this.probed(report),
    );
    this.#agent = new AgentArrangement(loaded.settings, identity, { entry: options.agentEntry });
    this.#group = new WorkerGroup({
      entry: workerEntry,
      count: storageProxy.numProc,
      threadPoolSize: server.threadPoolSize,
      identity,
      watchdog,
      brief: (worker) => ({
        ...this.#update,
        worker,
        primaryPid: process.pid,
        probes: this.#probes.reports(),
        agent: this.#agent.access,
      }),
      ownMetrics: snapshotMetrics,
      restarted: countWorkerRestart,
    });
  }

  /** Resolves when every worker takes requests. @throws Error with the reason when one cannot start */
  async start(): Promise<void> {
    this.watchVolumes();
    await this.#agent.start();
    await this.#group.start();
  }

  /** Takes over what can change in a running group; a configuration that cannot be used changes nothing. */
  reload(): void {
    if (this.#ending) return;
    try {
      const { settings, warnings } = this.options.reload();
      const update = updateFrom(settings);
      for (const warning of warnings) log.warn(warning);
      const restart = needingRestart(this.#settings, settings);
      forgetMissing(this.#settings, settings);
      this.#settings = settings;
      this.#update = update;
      setLogLevel(pinoLevel(settings));
      this.#group.tell('update', update);
      this.watchVolumes();
      this.#agent.update(settings);
      log.info('Configuration read again', {});
      if (restart.length > 0) log.warn('Changes that need a restart', { keys: restart });
    } catch (error) {
      const problems = error instanceof Error ? error.message.split('\n') : [String(error)];
      for (const problem of problems) log.error(`Configuration not read again: ${problem}`);
    }
  }

  /** Ends the group in order; asked again, it hurries. Resolves when all is over. */
  async end(): Promise<void> {
    if (this.#ending) {
      if (Date.now() - this.#endingSince < SAME_SIGNAL_MS) return await this.#ending;
      log.warn('Asked again to end: not waiting for transfers any longer');
      await this.#group.hurry();
      return;
    }
    this.#endingSince = Date.now();
    const { drainDelayMs, shutdownTimeoutMs } = this.#settings.server;
    log.info('Draining', { delay_ms: drainDelayMs, timeout_ms: shutdownTimeoutMs });
    this.#ending = this.#group.drain(drainDelayMs, shutdownTimeoutMs);
    await this.#ending;
    this.#probes.stop();
    await this.#agent.end();
  }

  /** Ends the group without waiting for transfers. */
  async abort(): Promise<void> {
    this.#ending ??= this.#group.hurry();
    await this.#ending;
    this.#probes.stop();
    await this.#agent.end();
  }

  private watchVolumes(): void {
    const { volumes } = this.#settings;
    this.#probes.watch(volumes.map(({ name, path }) => ({ volume: name, path })));
  }

  private probed(report: ProbeReport): void {
    setVolumeHealth(report.volume, report.outcome === 'ok');
    this.#group.tell('probe', report);
  }
}

function forgetMissing(before: Settings, after: Settings): void {
  const kept = new Set(after.volumes.map(({ name }) => name));
  for (const { name } of before.volumes) if (!kept.has(name)) forgetVolume(name);
}

/** @throws Error when certificates cannot be used */
function updateFrom(settings: Settings): WorkerUpdate {
  protectSecrets(settings.credentials.all);
  return { settings: settingsToJson(settings), tls: readTlsMaterial(settings) };
}
