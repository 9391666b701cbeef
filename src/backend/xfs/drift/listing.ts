import type { VolumeSettings } from '../../contract/backend.js';
import { projectName } from '../projects/project-name.js';
import { register, unregister, type ProjectFiles } from '../projects/project-registry.js';
import type { ProjectRoot } from './volume-layout.js';

export interface ListingFinding {
  readonly path: string;
  readonly text: string;
}

const SCOPE_OR_VFOLDER = /^([0-9a-f]{32}|[0-9a-f]{2}\/[0-9a-f]{2}\/[0-9a-f]{28})$/;

/**
 * Makes the files list every project of the volume and no scope or vfolder that is not there; says what was wrong.
 * Lines about anything else stay.
 */
export function putListingRight(
  files: ProjectFiles,
  roots: readonly ProjectRoot[],
  { name, path: mountPath }: Pick<VolumeSettings, 'name' | 'path'>,
): ListingFinding[] {
  const findings: ListingFinding[] = [];
  const here = new Set(roots.map(({ path }) => path));
  for (const { projectId, directory } of files.projects.lines) {
    const path = pathBelow(mountPath, directory);
    if (path === null || here.has(path) || !SCOPE_OR_VFOLDER.test(path)) continue;
    findings.push({ path, text: `is listed under project ${projectId}, but is not there` });
    files.projects.remove((line) => line.directory === directory);
    unregister(files, projectId, mountPath);
  }
  for (const { path, projectId } of roots) {
    if (projectId === null) continue;
    const directory = `${mountPath}/${path}`;
    const isListed =
      files.projects.lines.some(
        (line) => line.directory === directory && line.projectId === projectId,
      ) && files.projid.projectIds.includes(projectId);
    if (isListed) continue;
    findings.push({ path, text: `is not listed under project ${projectId}` });
    register(files, projectId, directory, projectName(path), name);
  }
  return findings;
}

/** The directories of the volume that are listed, by their path below the mount path. */
export function listedDirectories(
  files: ProjectFiles | null,
  mountPath: string,
): Map<string, number> {
  return new Map(
    (files?.projects.lines ?? []).flatMap(({ directory, projectId }) => {
      const path = pathBelow(mountPath, directory);
      return path === null ? [] : [[path, projectId] as const];
    }),
  );
}

function pathBelow(mountPath: string, directory: string): string | null {
  return directory.startsWith(`${mountPath}/`) ? directory.slice(mountPath.length + 1) : null;
}
