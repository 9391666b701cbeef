import { StorageError } from '../errors/storage-error.js';
import { VENDOR_BACKENDS } from '../grammar/vendor-backends.js';
import { BackendCatalog } from './contract/backend-catalog.js';
import type { Backend, BackendDescriptor } from './contract/backend.js';

interface Listed {
  readonly descriptor: BackendDescriptor;
  readonly backend: Backend;
}

/** The catalog over a list of descriptors and the instances made of them. */
export class ListedBackends extends BackendCatalog {
  readonly #byName: ReadonlyMap<string, Listed>;

  /** `instances[i]` belongs to `descriptors[i]`. */
  constructor(descriptors: readonly BackendDescriptor[], instances: readonly Backend[]) {
    super();
    this.#byName = new Map(
      descriptors.map((descriptor, index) => [
        descriptor.name,
        { descriptor, backend: instances[index]! },
      ]),
    );
  }

  names(): readonly string[] {
    return [...this.#byName.keys()];
  }

  get(name: string): Backend {
    return this.#find(name).backend;
  }

  describe(name: string): BackendDescriptor {
    return this.#find(name).descriptor;
  }

  #find(name: string): Listed {
    const listed = this.#byName.get(name);
    if (listed) return listed;
    const there = `there are ${this.names().join(', ')}`;
    const message = VENDOR_BACKENDS.has(name)
      ? `Backend "${name}" is not part of this build (${there}). Its mounted filesystem can be served with backend = "vfs", without the quotas and figures of the maker`
      : `Backend "${name}" is unknown: ${there}`;
    throw new StorageError('INVALID_ARGUMENT', message, { subject: 'volume' });
  }
}

/** Throws Error when two descriptors have the same name, which no configuration could tell apart. */
export function assertDistinct(descriptors: readonly BackendDescriptor[]): void {
  const names = descriptors.map(({ name }) => name);
  const duplicate = names.find((name, index) => names.indexOf(name) !== index);
  if (duplicate === undefined) return;
  throw new Error(
    `Backend "${duplicate}" is registered twice; registered are ${names.join(', ')}. Rename one of them`,
  );
}
