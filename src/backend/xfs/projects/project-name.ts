const UNSCOPED = /^([0-9a-f]{2})\/([0-9a-f]{2})\/([0-9a-f]{28})$/;

/**
 * What a project is called in projid(5), as the original calls it (protocol section 6.3): 32 hex digits for a quota
 * scope, the dashed UUID for a vfolder of an unscoped id. `path` leads there from the mount path.
 */
export function projectName(path: string): string {
  const [, first, second, rest] = UNSCOPED.exec(path) ?? [];
  if (first === undefined || second === undefined || rest === undefined) {
    return path.replaceAll(':', '_').replaceAll('/', '_');
  }
  const hex = first + second + rest;
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
