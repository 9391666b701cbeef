import type { Backend, BackendDescriptor } from './backend.js';

/** The backends that this process can drive, by name. Also the injection token. */
export abstract class BackendCatalog {
  /** In the order they were registered. */
  abstract names(): readonly string[];

  /**
   * The instance that opens volumes of this backend.
   *
   * @throws StorageError `INVALID_ARGUMENT`, subject `volume`, naming the backends there are and, for another
   * vendor's backend that we lack, how its volumes can be served
   */
  abstract get(name: string): Backend;

  /** What that backend exports, its options class among it. Throws as `get` does. */
  abstract describe(name: string): BackendDescriptor;
}
