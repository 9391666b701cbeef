import { isDeepStrictEqual } from 'node:util';
import { Inject, Injectable } from '@nestjs/common';
import { BackendCatalog } from '../backend/contract/backend-catalog.js';
import type { VolumeSettings } from '../backend/contract/backend.js';
import { StorageError } from '../errors/storage-error.js';
import { loggerFor } from '../observability/logger.js';
import { countBulkheadRefusal, setVolumeHealth, watchBulkhead } from '../observability/metrics.js';
import type { BulkheadGauges } from './bulkhead.js';
import { DOMAIN_SETTINGS, type DomainSettings } from './domain-settings.js';
import type { LayoutVersion } from './layout-marker.js';
import { VolumeSupervisor } from './volume-supervisor.js';
import { NOOP, type Volume } from './volume.js';

/** One volume as health and metrics see it. */
export interface VolumeStatus {
  readonly name: string;
  readonly backend: string;
  readonly state: 'usable' | 'hung' | 'opening' | 'unavailable' | 'closed';
  /** Why it is not usable, with the remedy; for operators: it may name host paths. */
  readonly reason: string | null;
  /** What is wrong with its hardware although it is usable. */
  readonly troubles: readonly string[];
  readonly since: Date;
  readonly layout: LayoutVersion | null;
  readonly bulkhead: BulkheadGauges;
}

const NOOP_SETTINGS: VolumeSettings = {
  name: NOOP,
  backend: NOOP,
  path: '/',
  fsprefix: '.',
  options: {},
};
const CLOSE_REMOVED_MS = 30_000;
const log = loggerFor('volumes');

/**
 * The configured volumes, each opened once per process and shared by everything in it, and the built-in
 * `noop` volume. A volume that cannot be opened is unavailable and retried; the others do not notice.
 */
@Injectable()
export class VolumeRegistry {
  #supervisors: ReadonlyMap<string, VolumeSupervisor> = new Map();
  readonly #noop: VolumeSupervisor;
  readonly #listeners = new Set<(volume: Volume) => void>();

  constructor(
    private readonly catalog: BackendCatalog,
    @Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings,
  ) {
    this.#noop = this.supervise(NOOP_SETTINGS);
  }

  /** Opens everything in parallel; resolves when each volume is open, has failed, or its deadline has passed. */
  async open(): Promise<void> {
    await Promise.all([this.#noop.start(), this.reload(this.settings.volumes)]);
  }

  /**
   * The volume by its configured name, usable or not.
   *
   * @throws StorageError NOT_FOUND with subject `volume`
   */
  get(name: string): Volume {
    const supervisor = name === NOOP ? this.#noop : this.#supervisors.get(name);
    if (supervisor) return supervisor.volume;
    throw new StorageError('NOT_FOUND', `no volume is named "${name}"`, {
      subject: 'volume',
      volume: name,
    });
  }

  /** The configured volumes in configuration order, usable or not; without `noop`. */
  all(): Volume[] {
    return [...this.#supervisors.values()].map(({ volume }) => volume);
  }

  status(): VolumeStatus[] {
    return [...this.#supervisors.values()].map(statusOf);
  }

  /** Called whenever a volume becomes usable, at the start or again. Returns the way to end that. */
  onUsable(listener: (volume: Volume) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Takes over a new list: opens what is new or changed, closes what is gone or changed, leaves the rest
   * alone. Throws, and changes nothing, when a backend is unknown.
   */
  async reload(volumes: readonly VolumeSettings[]): Promise<void> {
    const wanted = new Map(volumes.map((settings) => [settings.name, settings]));
    const closing = [...this.#supervisors.values()].filter(
      ({ volume }) => !isDeepStrictEqual(volume.settings, wanted.get(volume.name)),
    );
    const starting: VolumeSupervisor[] = [];
    const supervisors = [...wanted.values()].map((settings) => {
      const kept = this.#supervisors.get(settings.name);
      if (kept && !closing.includes(kept)) return kept;
      const supervisor = this.supervise(settings);
      starting.push(supervisor);
      return supervisor;
    });
    // All or nothing: an unknown backend has thrown by now.
    this.#supervisors = new Map(supervisors.map((each) => [each.volume.name, each]));
    for (const { volume } of starting) watchBulkhead(volume.name, () => volume.bulkhead.gauges);
    await Promise.all([
      ...closing.map((supervisor) => supervisor.close(CLOSE_REMOVED_MS)),
      ...starting.map((supervisor) => supervisor.start()),
    ]);
  }

  /** Lets running operations end and closes everything, within `deadlineMs`. Never rejects. */
  async close(deadlineMs: number): Promise<void> {
    const supervisors = [...this.#supervisors.values(), this.#noop];
    await Promise.all(supervisors.map((supervisor) => supervisor.close(deadlineMs)));
  }

  private supervise(settings: VolumeSettings): VolumeSupervisor {
    const { operationDeadlineMs, bulkheadShare } = this.settings;
    const backend = this.catalog.get(settings.backend);
    const events = { usable: (volume: Volume) => this.usable(volume), unavailable };
    return new VolumeSupervisor(settings, backend, events, {
      operationDeadlineMs,
      bulkheadShare,
      bulkhead: { onRefusal: () => countBulkheadRefusal(settings.name) },
    });
  }

  private usable(volume: Volume): void {
    if (volume.isNoop) return;
    const { warnings, capabilities } = volume.strategies;
    log.info('A volume is usable', { volume: volume.name, capabilities: [...capabilities] });
    for (const warning of warnings) log.warn(warning, { volume: volume.name });
    setVolumeHealth(volume.name, true);
    for (const listener of this.#listeners) listener(volume);
  }
}

function unavailable(volume: Volume, reason: string): void {
  log.error('A volume is unavailable', { volume: volume.name, reason });
  setVolumeHealth(volume.name, false);
}

function statusOf({ volume, since }: VolumeSupervisor): VolumeStatus {
  const { name, settings, state, hung, bulkhead } = volume;
  const isOpen = state.kind === 'open';
  return {
    name,
    backend: settings.backend,
    state: !isOpen ? state.kind : hung === null ? 'usable' : 'hung',
    reason: isOpen ? hung : state.reason,
    troubles: (isOpen && state.strategies.telemetry.troubles?.()) || [],
    since,
    layout: isOpen ? state.layout : null,
    bulkhead: bulkhead.gauges,
  };
}
