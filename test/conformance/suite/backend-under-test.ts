import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type * as backendModule from '../../../src/backend/backend.module.js';
import type {
  Backend,
  BackendDescriptor,
  VolumeSettings,
  VolumeStrategies,
} from '../../../src/backend/contract/backend.js';
import type { AbstractVolumeAgent } from '../../../src/backend/contract/volume-agent.js';
import type { TreeLocation } from '../../../src/backend/contract/tree-task.js';
import type { BackendCatalog } from '../../../src/backend/contract/backend-catalog.js';
import type * as catalogModule from '../../../src/backend/contract/backend-catalog.js';
import { built } from '../../support/built.js';

/** An empty filesystem, mounted, that a backend can open as a volume. */
export interface VolumeOnDisk {
  /** Mount path. */
  readonly path: string;
  readonly options: object;
  dispose(): Promise<void> | void;
}

/** Takes over the volumes it works on. */
export interface VolumeServer {
  serve(volumes: readonly VolumeSettings[]): void;
}

/** What a backend hands the suite. */
export interface BackendUnderTest {
  /** As in the configuration. */
  readonly name: string;
  /** Where the suite runs more than once on a backend. */
  readonly title?: string;
  /** Levels of a tree that is to be deep, where deeper than a path can be long would take minutes. */
  readonly deepLevels?: number;
  /** When it is not one of `backend/index.ts`. */
  readonly descriptor?: BackendDescriptor;
  /** Resolution of the times in a listing, nanoseconds; 1 unless given. */
  readonly listedTimesNs?: bigint;
  /** For a backend that has privileged work done. */
  makeAgent?(): Promise<AbstractVolumeAgent & VolumeServer>;
  /** Every entry costs a round trip: trees are as small, and attacks as short, as their purpose allows. */
  readonly isSlow?: boolean;
  /** Makes a volume of its own for each test. */
  makeVolume(): Promise<VolumeOnDisk>;
}

/** One open volume, and shorthands for the suite. */
export class OpenVolume {
  constructor(
    readonly disk: VolumeOnDisk,
    readonly settings: VolumeSettings,
    readonly strategies: VolumeStrategies,
  ) {}

  /** Absolute path of something on the volume. */
  at(...parts: string[]): string {
    return [this.disk.path, ...parts].join('/');
  }

  async close(): Promise<void> {
    await this.strategies.close(5000);
    await this.disk.dispose();
  }
}

export const location = (path: string): TreeLocation => ({ path: Buffer.from(path) });
export const HERE = Buffer.from('.');

/** Opens volumes of one backend through the catalog, as the product does. */
export class BackendHost {
  #context: INestApplicationContext | undefined;
  #backend: Backend | undefined;
  #agent: (AbstractVolumeAgent & VolumeServer) | undefined;

  constructor(readonly subject: BackendUnderTest) {}

  /** Levels of a tree that is to be deep: deeper than a path can be long, unless told otherwise. */
  get deepLevels(): number {
    return this.subject.deepLevels ?? (this.subject.isSlow ? 2100 : 3000);
  }

  get backend(): Backend {
    return this.#backend!;
  }

  async start(): Promise<void> {
    const { BackendModule } = await built<typeof backendModule>('backend/backend.module.js');
    const { BackendCatalog } = await built<typeof catalogModule>(
      'backend/contract/backend-catalog.js',
    );
    const { descriptor } = this.subject;
    this.#agent = await this.subject.makeAgent?.();
    const module = BackendModule.forRoot({
      ...(descriptor && { extra: [descriptor] }),
      ...(this.#agent && { agent: this.#agent }),
    });
    this.#context = await NestFactory.createApplicationContext(module, { logger: false });
    const catalog = this.#context.get<BackendCatalog>(BackendCatalog);
    this.#backend = catalog.get(this.subject.name);
  }

  async stop(): Promise<void> {
    await this.#context?.close();
  }

  settings(disk: VolumeOnDisk, path = disk.path): VolumeSettings {
    const { options } = disk;
    return { name: 'tested', backend: this.subject.name, path, fsprefix: '.', options };
  }

  async open(): Promise<OpenVolume> {
    const disk = await this.subject.makeVolume();
    const settings = this.settings(disk);
    this.#agent?.serve([settings]);
    return new OpenVolume(disk, settings, await this.backend.open(settings));
  }
}
