import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { ProcessGroup, type WorkerState } from './process-group.js';
import { ServingState } from './serving-state.js';
import type { VolumeView } from './volume-view.js';

/** Probes of orchestrators give up after a second by default; a later answer would be for nobody. */
const PRIMARY_DEADLINE_MS = 800;

/** The processes themselves: the primary, the other workers, and whether this one wants requests. */
@Injectable()
export class ProcessHealthIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly group: ProcessGroup,
    private readonly serving: ServingState,
  ) {}

  /** Down when the primary does not answer: nobody would restart workers or hand over connections. */
  primary(): PromiseLike<HealthIndicatorResult> {
    return this.indicators
      .check('process:primary')
      .attempt(() => this.group.ping())
      .withTimeout(PRIMARY_DEADLINE_MS);
  }

  /** Degraded when a worker is silent; the primary replaces it if it stays so. */
  worker(state: WorkerState): HealthIndicatorResult {
    const indicator = this.indicators.check(`process:worker-${state.worker}`);
    return state.volumes === null
      ? indicator.degraded('The worker did not answer')
      : indicator.up();
  }

  /** Down while starting and draining, and while no volume could serve a request. */
  readiness(views: readonly VolumeView[]): HealthIndicatorResult {
    const indicator = this.indicators.check('process:serving');
    const { phase } = this.serving;
    if (phase !== 'serving') return indicator.down(`The process is ${phase}`);
    if (!views.some((view) => view.usable)) return indicator.down('No volume is usable');
    return indicator.up();
  }
}
