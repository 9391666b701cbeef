import { Injectable } from '@nestjs/common';
import { BackendCatalog } from '../../backend/contract/backend-catalog.js';
import type { TreeOperations } from '../../backend/contract/tree-operations.js';

/** What any mounted filesystem can be served with. */
const PLAIN_BACKEND = 'vfs';

/** Tree operations below the configured unmanaged roots, which are no volumes. Made when first needed. */
@Injectable()
export class UnmanagedTrees {
  readonly #byRoot = new Map<string, Promise<TreeOperations>>();

  constructor(private readonly catalog: BackendCatalog) {}

  /** `root` is an absolute host path that the operator configured. */
  of(root: string): Promise<TreeOperations> {
    const known = this.#byRoot.get(root);
    if (known) return known;
    const opening = this.open(root);
    this.#byRoot.set(root, opening);
    // Not there today may be there tomorrow.
    opening.catch(() => this.#byRoot.delete(root));
    return opening;
  }

  /** Ends the threads of all of them, as far as they let themselves be ended within `deadlineMs`. Never rejects. */
  async close(deadlineMs: number): Promise<void> {
    const opened = [...this.#byRoot.values()];
    this.#byRoot.clear();
    await Promise.allSettled(opened.map(async (trees) => (await trees).close(deadlineMs)));
  }

  private async open(root: string): Promise<TreeOperations> {
    const { options: Options } = this.catalog.describe(PLAIN_BACKEND);
    const { trees } = await this.catalog.get(PLAIN_BACKEND).open({
      name: root,
      backend: PLAIN_BACKEND,
      path: root,
      fsprefix: '.',
      options: new Options(),
    });
    return trees;
  }
}
