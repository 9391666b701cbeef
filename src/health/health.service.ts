import { Inject, Injectable, ServiceUnavailableException } from '@nestjs/common';
import {
  HealthCheckService,
  type HealthCheckResult,
  type HealthIndicatorFunction,
} from '@nestjs/terminus';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { healthBody, type HealthBody } from './health-body.js';
import { ProcessHealthIndicator } from './process.health.js';
import { ProcessGroup, type WorkerState } from './process-group.js';
import { ServiceHealthIndicator } from './service.health.js';
import { viewVolumes } from './volume-view.js';
import { VolumeHealthIndicator } from './volume.health.js';

/** Answers the three questions an operator, a load balancer and a supervisor ask. */
@Injectable()
export class HealthService {
  constructor(
    private readonly terminus: HealthCheckService,
    private readonly group: ProcessGroup,
    private readonly volumes: VolumeHealthIndicator,
    private readonly processes: ProcessHealthIndicator,
    private readonly services: ServiceHealthIndicator,
    @Inject(PRODUCT_VERSION) private readonly version: string,
  ) {}

  /** How the whole process group is: `ok` or `degraded`. */
  async health(): Promise<HealthBody> {
    const workers = await this.workers();
    const states = workers.flatMap((worker) => worker.volumes ?? []);
    const views = viewVolumes(this.group.probes(), states);
    const result = await this.run([
      ...views.map((view) => () => this.volumes.check(view)),
      ...this.services.checks(),
      () => this.processes.primary(),
      ...workers.map((worker) => () => this.processes.worker(worker)),
    ]);
    return healthBody(result.status === 'ok' ? 'ok' : 'degraded', result.details, this.version);
  }

  /** Whether a restart would help: `ok` or `error`. No volume can change the answer. */
  async liveness(): Promise<HealthBody> {
    const result = await this.run([() => this.processes.primary()]);
    return healthBody(result.status === 'ok' ? 'ok' : 'error', result.details, this.version);
  }

  /** Whether requests are wanted: `ok` or `error`. Knows without asking anybody. */
  async readiness(): Promise<HealthBody> {
    const views = viewVolumes(this.group.probes(), this.group.volumes());
    const result = await this.run([
      () => this.processes.readiness(views),
      ...views.map((view) => () => this.volumes.check(view)),
    ]);
    const ready = result.status === 'ok' || result.status === 'degraded';
    return healthBody(ready ? 'ok' : 'error', result.details, this.version);
  }

  /** Without the primary this worker still knows its own volumes. */
  private async workers(): Promise<readonly WorkerState[]> {
    try {
      return await this.group.workers();
    } catch {
      return [{ worker: 0, volumes: this.group.volumes() }];
    }
  }

  /** Terminus throws a failed check as an HTTP exception with a body of its own; here it is a result like any other. */
  private async run(checks: HealthIndicatorFunction[]): Promise<HealthCheckResult> {
    try {
      return await this.terminus.check(checks);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableException)) throw error;
      return error.getResponse() as HealthCheckResult;
    }
  }
}
