import { StorageError } from '../../errors/storage-error.js';
import type {
  Capacity,
  HardwareInfo,
  PerformanceMetric,
  Telemetry,
} from '../contract/telemetry.js';
import type { FlashBlade, Trouble } from './purity/flash-blade.js';
import { PurityError } from './purity/purity-error.js';
import { Recent } from './purity/recent.js';

/** How old hardware and alerts may be; `/health` asks for them as often as it is asked itself. */
const TROUBLES_MS = 60_000;
const HARDWARE_MS = 10_000;
const CAPACITY_MS = 5_000;
/** Lines of a status text; an array with a failed chassis has hundreds. */
const MOST_TOLD = 5;

export interface ArrayTelemetryOptions {
  readonly volume: string;
  readonly fileSystem: string;
  /** Shown to managers as `console_url`, as the original does. */
  readonly endpoint: string;
  /** What went wrong in this process, beside the array's own troubles. */
  readonly localTroubles: () => readonly string[];
}

/**
 * What the array says of itself and of the file system (REST, both families). Nothing is asked while nobody wants to
 * know, several who want to know share an answer, and none of it keeps files from being served.
 */
export class PureStorageTelemetry implements Telemetry {
  readonly measuresPerformance = true;
  readonly knowsCapacityAtOnce = true;

  readonly #identity = new Recent(HARDWARE_MS, async () => {
    const [identity, bladeCount] = await Promise.all([
      this.array.identity(),
      this.array.bladeCount(),
    ]);
    return { ...identity, bladeCount };
  });
  readonly #troubles = new Recent(TROUBLES_MS, () => this.array.troubles());
  readonly #capacity = new Recent(CAPACITY_MS, () => this.#askCapacity());
  readonly #performance = new Recent(0, () => this.array.nfsPerformance(this.options.fileSystem));

  constructor(
    private readonly array: FlashBlade,
    private readonly options: ArrayTelemetryOptions,
  ) {}

  /** `unavailable` with the reason when the array cannot be asked: the question is how it is, so that is the answer. */
  async hardwareInfo(): Promise<HardwareInfo> {
    try {
      const [identity, troubles] = await Promise.all([this.#identity.get(), this.#troubles.get()]);
      const { id, name, os, revision, version, bladeCount } = identity;
      const metadata: Record<string, string> = {};
      for (const [key, value] of Object.entries({ id, name, os, revision, version })) {
        metadata[key] = value ?? '';
      }
      metadata['blade_count'] = String(bladeCount);
      metadata['console_url'] = this.options.endpoint;
      const lines = [...troubles.map(({ text }) => text), ...this.options.localTroubles()];
      return {
        status: lines.length === 0 ? 'healthy' : 'degraded',
        statusInfo: lines.length === 0 ? null : summary(lines),
        metadata,
      };
    } catch (error) {
      if (!(error instanceof PurityError)) throw error;
      const metadata = { console_url: this.options.endpoint };
      return { status: 'unavailable', statusInfo: error.message, metadata };
    }
  }

  async performanceMetric(): Promise<PerformanceMetric> {
    const measured = await this.#ask(this.#performance.get());
    if (measured === undefined) throw this.#unknownFileSystem();
    return {
      // Fractions on the array, whole numbers in the manager's protocol.
      iopsRead: Math.round(measured.readsPerSec),
      iopsWrite: Math.round(measured.writesPerSec),
      ioBytesRead: Math.round(measured.readBytesPerSec),
      ioBytesWrite: Math.round(measured.writeBytesPerSec),
      ioUsecRead: measured.usecPerRead,
      ioUsecWrite: measured.usecPerWrite,
    };
  }

  capacity(): Promise<Capacity> {
    return this.#ask(this.#capacity.get());
  }

  /** The array's complaints that are critical, from what was last asked; asks again in the background when that is old. */
  troubles(): readonly string[] {
    const { last } = this.#troubles;
    void this.#troubles.get().catch(() => undefined);
    const critical = (last?.value ?? []).filter(isCritical).map(({ text }) => text);
    const unreachable = last?.error === undefined ? [] : [messageOf(last.error)];
    return [...unreachable, ...critical, ...this.options.localTroubles()];
  }

  /**
   * A limit counts what clients wrote, so that is what is used of it: physical bytes are less after data reduction,
   * and would look half empty while writes fail. Without a limit, or with a size that is only a threshold for reports,
   * the array's own space is what there is.
   */
  async #askCapacity(): Promise<Capacity> {
    const { fileSystem } = this.options;
    const found = await this.array.fileSystem(fileSystem);
    if (found === undefined) throw this.#unknownFileSystem();
    if (found.hasHardLimit) {
      return { capacityBytes: found.provisionedBytes ?? -1, usedBytes: found.virtualBytes ?? -1 };
    }
    const { capacityBytes, usedBytes } = await this.array.space();
    return { capacityBytes: capacityBytes ?? -1, usedBytes: usedBytes ?? -1 };
  }

  async #ask<T>(answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (!(error instanceof PurityError)) throw error;
      const { volume } = this.options;
      throw new StorageError(
        error.passesByItself ? 'UNAVAILABLE' : 'INTERNAL',
        `The array of volume "${volume}" cannot be asked: ${error.message}`,
        { subject: 'volume', volume, reason: 'external' },
        { cause: error },
      );
    }
  }

  #unknownFileSystem(): StorageError {
    const { volume, fileSystem } = this.options;
    return new StorageError('NOT_FOUND', `The array knows no file system "${fileSystem}"`, {
      subject: 'volume',
      volume,
      reason: 'metadata',
    });
  }
}

function isCritical({ severity }: Trouble): boolean {
  return severity === 'critical';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function summary(lines: readonly string[]): string {
  const more = lines.length - MOST_TOLD;
  return [...lines.slice(0, MOST_TOLD), ...(more > 0 ? [`and ${more} more`] : [])].join('; ');
}
