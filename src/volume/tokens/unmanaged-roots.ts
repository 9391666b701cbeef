import path from 'node:path';

/**
 * The one way to an unmanaged directory, a host path chosen by the manager: only below roots that the
 * operator named (S18). By default there is none. What lies inside is confined like any vfolder.
 */
export class UnmanagedRoots {
  readonly #roots: readonly string[];

  constructor(roots: readonly string[]) {
    this.#roots = roots.map((root) => withoutTrailingSlash(path.posix.normalize(root)));
  }

  /** The normalised path and the root it is below (or equal to), or the reason for a refusal. */
  admit(text: string): { path: string; root: string } | { reason: string } {
    if (!text.startsWith('/') || text.includes('\0')) {
      return { reason: 'expected an absolute path' };
    }
    const normal = withoutTrailingSlash(path.posix.normalize(text));
    const root = this.#roots.find((root) => normal === root || isBelow(normal, root));
    if (root === undefined) return { reason: 'it is not below a configured unmanaged root' };
    return { path: normal, root };
  }
}

function isBelow(child: string, root: string): boolean {
  return child.startsWith(root === '/' ? root : `${root}/`);
}

function withoutTrailingSlash(text: string): string {
  return text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text;
}
