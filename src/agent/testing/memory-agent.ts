import {
  AbstractVolumeAgent,
  type ProjectLimits,
  type ProjectStatus,
  type RemoveTreeOptions,
} from '../../backend/contract/volume-agent.js';

/** Remembers what it was asked, and answers as a spec tells it to. */
export class MemoryAgent extends AbstractVolumeAgent {
  readonly calls: string[] = [];
  readonly removals: { path: Buffer; options: RemoveTreeOptions }[] = [];
  /** Asked before each answer; may throw, or take its time. */
  before: (call: string) => unknown = () => undefined;

  async checkVolume(volume: string): Promise<void> {
    await this.#note(`check ${volume}`);
  }

  async initialiseProject(_: string, path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    await this.#note(`initialise ${path.toString('hex')}`);
    return status(limits);
  }

  async describeProject(_: string, path: Buffer): Promise<ProjectStatus | null> {
    await this.#note(`describe ${path.toString('hex')}`);
    return null;
  }

  async limitProject(_: string, path: Buffer, limits: ProjectLimits): Promise<ProjectStatus> {
    await this.#note(`limit ${path.toString('hex')}`);
    return status(limits);
  }

  async releaseProject(_: string, path: Buffer): Promise<void> {
    await this.#note(`release ${path.toString('hex')}`);
  }

  async chown(_: string, path: Buffer, uid: number, gid: number): Promise<void> {
    await this.#note(`chown ${path.toString('hex')} ${uid}:${gid}`);
  }

  async removeTree(_: string, path: Buffer, options: RemoveTreeOptions = {}): Promise<void> {
    this.removals.push({ path, options });
    await this.#note(`remove ${path.toString('hex')}`);
  }

  async #note(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}

function status(limits: ProjectLimits): ProjectStatus {
  return {
    projectId: 7,
    usedBytes: 4096,
    usedInodes: 1,
    hardBytes: limits.hardBytes ?? null,
    softBytes: limits.softBytes ?? null,
    hardInodes: limits.hardInodes ?? null,
    softInodes: limits.softInodes ?? null,
    bytesGraceEndsAt: null,
    inodesGraceEndsAt: null,
  };
}
