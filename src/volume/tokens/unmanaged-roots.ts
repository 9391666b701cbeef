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

  /** The normalised path, or the reason for a refusal. */
  admit(text: string): { path: string } | { reason: string } {
    if (!text.startsWith('/') || text.includes('\0')) {
      return { reason: 'expected an absolute path' };
    }
    const normal = withoutTrailingSlash(path.posix.normalize(text));
    const admitted = this.#roots.some((root) => normal === root || isBelow(normal, root));
    return admitted ? { path: normal } : { reason: 'it is not below a configured unmanaged root' };
  }
}

function isBelow(child: string, root: string): boolean {
  return child.startsWith(root === '/' ? root : `${root}/`);
}

function withoutTrailingSlash(text: string): string {
  return text.length > 1 && text.endsWith('/') ? text.slice(0, -1) : text;
}
