import { Module, type DynamicModule } from '@nestjs/common';
import { BackendCatalog } from './contract/backend-catalog.js';
import type { Backend, BackendDescriptor } from './contract/backend.js';
import { AbstractVolumeAgent } from './contract/volume-agent.js';
import { backends } from './index.js';
import { assertDistinct, ListedBackends } from './listed-backends.js';

export interface BackendModuleOptions {
  /** Descriptors that npm packages from elsewhere export. */
  readonly extra?: readonly BackendDescriptor[];
  /** Does the privileged work; backends that need some refuse their volumes without. */
  readonly agent?: AbstractVolumeAgent;
}

/** Provides one injectable for each backend, and the BackendCatalog that finds them by name. */
@Module({})
export class BackendModule {
  /** Throws Error when two backends have the same name. */
  static forRoot({ extra = [], agent }: BackendModuleOptions = {}): DynamicModule {
    const descriptors = [...backends, ...extra];
    assertDistinct(descriptors);
    const classes = descriptors.map(({ backend }) => backend);
    return {
      module: BackendModule,
      providers: [
        ...classes,
        ...(agent ? [{ provide: AbstractVolumeAgent, useValue: agent }] : []),
        {
          provide: BackendCatalog,
          inject: classes,
          useFactory: (...instances: Backend[]) => new ListedBackends(descriptors, instances),
        },
      ],
      exports: [BackendCatalog],
    };
  }
}
