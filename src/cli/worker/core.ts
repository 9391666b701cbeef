import { setTimeout as sleep } from 'node:timers/promises';
import { Module, type DynamicModule, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClusterServices } from '../../cluster/cluster-services.js';
import { BackendModule } from '../../backend/backend.module.js';
import { backends } from '../../backend/index.js';
import { SettingsModule } from '../../config/settings.module.js';
import type { AbstractVolumeAgent } from '../../backend/contract/volume-agent.js';
import type { Settings } from '../../config/settings.js';
import { isServiceable, type ProbeReport } from '../../health/probe/probe-report.js';
import type { VolumeState } from '../../health/process-group.js';
import { forgetVolume } from '../../observability/metrics.js';
import { NestLogger } from '../../observability/nest-logger.js';
import { UnmanagedTrees } from '../../volume/downloads/unmanaged-trees.js';
import { VolumeModule } from '../../volume/volume.module.js';
import { VolumeService } from '../../volume/volume.service.js';
import type { WorkerBus } from '../../volume/worker-bus.js';
import { openAgent, ownAccess, type AgentAccess, type OpenAgent } from '../agent/agent-access.js';
import { clusterOptions } from './cluster-options.js';
import { domainSettings, volumeSettings } from './domain-settings.js';

/** What the domain is given by whoever runs the process. */
interface CoreParts {
  readonly bus: WorkerBus;
  readonly agent: AbstractVolumeAgent;
  readonly cluster: ClusterServices;
}

/** What all planes of a worker stand on: settings, backends, volumes. Each exists once. */
@Module({})
class CoreModule {
  static forRoot(settings: Settings, { bus, agent, cluster }: CoreParts): DynamicModule {
    const volumes = VolumeModule.forRoot({
      settings: domainSettings(settings, backends),
      bus,
      backends: BackendModule.forRoot({ agent }),
      publisher: cluster.events,
      leases: cluster.uploadLeases,
      statistics: cluster.statistics,
    });
    return {
      module: CoreModule,
      imports: [SettingsModule.forRoot(settings), volumes],
    };
  }
}

/** The domain of one process, open. */
export class Core {
  constructor(
    private readonly context: INestApplicationContext,
    readonly volumes: VolumeService,
    private readonly agent: OpenAgent,
    readonly cluster: ClusterServices,
  ) {}

  volumeStates(): VolumeState[] {
    return this.volumes.registry.status().map(({ name, state, reason, troubles }) => ({
      volume: name,
      usable: state === 'usable',
      reason,
      trouble: troubles.length === 0 ? null : troubles.join('; '),
    }));
  }

  /** While a volume cannot serve anything its requests are refused at once, instead of hanging or failing one by one. */
  probed(report: ProbeReport): void {
    const volume = this.volumes.registry.all().find(({ name }) => name === report.volume);
    volume?.markHung(isServiceable(report) ? null : report.message);
  }

  /** For `strict-volumes`. @throws Error naming those that are not usable, a line each */
  assertAllUsable(): void {
    const refused = this.volumeStates().filter(({ usable }) => !usable);
    if (refused.length === 0) return;
    const lines = refused.map(
      ({ volume, reason }) => `volume "${volume}" is unavailable: ${reason}`,
    );
    throw new Error(lines.join('\n'));
  }

  /**
   * Begins the work that no request asks for: unfinished jobs, sweeps, events. `first`: also what one worker
   * of a group does for all of them.
   */
  start({ first }: { first: boolean }): void {
    this.cluster.start(this.volumes.registry, { first });
    if (first) this.volumes.statistics.start();
    this.volumes.jobs.start();
    this.volumes.uploads.start();
  }

  /** Brings that work to a stopping point within `deadlineMs`; it goes on at the next start. */
  async quiesce(deadlineMs: number): Promise<void> {
    await this.volumes.jobs.drain(deadlineMs);
  }

  /** Takes over the token keys and the volumes of new settings. */
  async reload(settings: Settings): Promise<void> {
    this.volumes.tokens.useKeys(settings.credentials.jwtKeys);
    const before = this.volumes.registry.all().map(({ name }) => name);
    const volumes = volumeSettings(settings, backends);
    this.agent.serve(volumes);
    await this.volumes.registry.reload(volumes);
    const kept = new Set(settings.volumes.map(({ name }) => name));
    for (const name of before) if (!kept.has(name)) forgetVolume(name);
  }

  /** Closes everything, as far as it lets itself be closed within `deadlineMs`. Never rejects. */
  async close(deadlineMs: number): Promise<void> {
    this.volumes.uploads.stop();
    this.volumes.statistics.stop();
    await this.quiesce(deadlineMs);
    await this.cluster.close();
    await Promise.all([
      this.volumes.registry.close(deadlineMs),
      this.context.get(UnmanagedTrees, { strict: false }).close(deadlineMs),
    ]);
    this.agent.close();
    // The context has no hooks that could take time: what must be ended in order was ended above.
    await this.context.close().catch(() => undefined);
  }
}

/** The domain with nothing opened yet. */
export async function createCore(
  settings: Settings,
  bus: WorkerBus,
  access: AgentAccess = ownAccess(settings),
): Promise<Core> {
  const agent = openAgent(access, volumeSettings(settings, backends));
  const cluster = new ClusterServices(clusterOptions(settings));
  const module = CoreModule.forRoot(settings, { bus, agent: agent.agent, cluster });
  const context = await NestFactory.createApplicationContext(module, {
    abortOnError: false,
    logger: new NestLogger(),
  });
  const volumes = context.get(VolumeService, { strict: false });
  return new Core(context, volumes, agent, cluster);
}

export interface OpeningOptions {
  readonly patienceMs?: number;
  /** Where somebody privileged is found; this process's own way unless given. */
  readonly agent?: AgentAccess;
}

/**
 * Opens the volumes, and waits `patienceMs` for them. One that cannot be opened is unavailable and retried; one
 * that hangs goes on being opened. Neither is a failure here.
 */
export async function openCore(
  settings: Settings,
  bus: WorkerBus,
  { patienceMs = Number.POSITIVE_INFINITY, agent }: OpeningOptions = {},
): Promise<Core> {
  const core = await createCore(settings, bus, agent);
  const opened = Promise.all([core.volumes.registry.open(), core.cluster.connect()]);
  if (patienceMs === Number.POSITIVE_INFINITY) await opened;
  else await Promise.race([opened, sleep(patienceMs, undefined, { ref: false })]);
  return core;
}
