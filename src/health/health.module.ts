import { Module, type DynamicModule } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller.js';
import { PRODUCT_VERSION } from '../http/product-version.js';
import { HealthService } from './health.service.js';
import { MetricsController } from './metrics.controller.js';
import { ProcessHealthIndicator } from './process.health.js';
import { ProcessGroup } from './process-group.js';
import { ServingState } from './serving-state.js';
import { ServiceHealthIndicator, ServiceStates, type ServiceState } from './service.health.js';
import { VolumeHealthIndicator } from './volume.health.js';

/** What the endpoints report on; made by whoever runs the process. */
export interface HealthSources {
  readonly group: ProcessGroup;
  readonly serving: ServingState;
  readonly version: string;
  /** What the proxies of the site share, as this process reaches it. */
  readonly services: () => readonly ServiceState[];
}

/** `/health`, `/livez`, `/readyz`, and on the internal listener `/metrics`. */
@Module({})
export class HealthModule {
  static forRoot(sources: HealthSources, options: { metrics?: boolean } = {}): DynamicModule {
    return {
      module: HealthModule,
      // Failed checks are answers here, not incidents: the probes' outcomes are logged when they change.
      imports: [TerminusModule.forRoot({ logger: false })],
      controllers: [HealthController, ...(options.metrics ? [MetricsController] : [])],
      providers: [
        HealthService,
        VolumeHealthIndicator,
        ProcessHealthIndicator,
        ServiceHealthIndicator,
        { provide: ServiceStates, useValue: new ServiceStates(sources.services) },
        { provide: ProcessGroup, useValue: sources.group },
        { provide: ServingState, useValue: sources.serving },
        { provide: PRODUCT_VERSION, useValue: sources.version },
      ],
    };
  }
}
