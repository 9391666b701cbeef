import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** An XFS mounted with project quotas, as the rig has it. */
export const XFS_MOUNT = process.env['STORAGE_PROXY_TEST_XFS'] ?? '/mnt/xfs';
/** A second device with an XFS that nobody has mounted. */
export const SPARE_DEVICE = process.env['STORAGE_PROXY_TEST_XFS_SPARE'] ?? '/dev/ubdb';

export const KIB = 1024;
export const MIB = 1024 * KIB;

/** A directory of its own on the XFS, taken for a volume: quotas do not care where in a filesystem they are. */
export class ScratchVolume {
  readonly path: string;

  constructor(name: string) {
    this.path = mkdtempSync(join(XFS_MOUNT, `${name}-`));
  }

  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  mkdir(...parts: string[]): Buffer {
    mkdirSync(this.at(...parts), { recursive: true });
    return Buffer.from(join(...parts));
  }

  dispose(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Options of a volume that lists its projects in files of its own. */
export function xfsOptions(directory: string, changes: object = {}) {
  return {
    lockFilePath: join(directory, 'lock'),
    projectIdMin: 1_000_000_000,
    projectIdMax: 1_999_999_999,
    registerProjects: true,
    projectsFile: join(directory, 'projects'),
    projidFile: join(directory, 'projid'),
    ...changes,
  };
}
