import { Injectable } from '@nestjs/common';
import type { Backend, BackendDescriptor, VolumeStrategies } from '../contract/backend.js';
import { PosixQuotaModel } from '../posix/posix-quota.model.js';
import { NoopOptions } from './noop.options.js';
import { NoopTelemetry } from './noop-telemetry.js';
import { NoopTrees } from './noop-trees.js';

/**
 * No storage at all: every operation succeeds and does nothing, and nothing is claimed (protocol section 6.6).
 * The built-in volume `noop`, which managers use for vfolders that live elsewhere.
 */
@Injectable()
export class NoopBackend implements Backend<NoopOptions> {
  open(): Promise<VolumeStrategies> {
    return Promise.resolve({
      quota: new PosixQuotaModel(),
      trees: new NoopTrees(),
      telemetry: new NoopTelemetry(),
      capabilities: new Set(),
      reservedNames: [],
      warnings: [],
      close: () => Promise.resolve(),
    });
  }
}

export const noopBackend: BackendDescriptor<NoopOptions> = {
  name: 'noop',
  backend: NoopBackend,
  options: NoopOptions,
};
