import type { Entry } from '../../backend/contract/entry.js';
import type { TreeOperations } from '../../backend/contract/tree-operations.js';
import { STAGING_DIRECTORY, TRASH_DIRECTORY } from '../ids/layout.js';
import type { JobId } from './job.js';
import { listAll } from './listing.js';
import { parseStagingName } from './staging-name.js';
import { parseSiblingName, parseTrashName, type TrashName } from './trash-name.js';

/** Something a job left on the volume. Paths are relative to the mount path. */
export type Leftover =
  | {
      readonly kind: 'deletion';
      readonly name: TrashName;
      readonly place: 'trash' | 'sibling';
      readonly path: Buffer;
    }
  | { readonly kind: 'staging'; readonly jobId: JobId; readonly path: Buffer };

const SCOPE = /^[0-9a-f]{32}$/;
const ROOT = Buffer.from('.');

/**
 * Everything that jobs left in the trash and staging directories of a volume: the journal that tells after a
 * crash what is to be gone on with. Reads every quota scope's directory, so it takes its time on volumes
 * that have many.
 */
export async function* scanJournal(
  trees: TreeOperations,
): AsyncGenerator<Leftover, void, undefined> {
  for await (const entries of listAll(trees, ROOT)) {
    for (const name of textNames(entries)) {
      yield* leftoversAt(trees, name, null);
      if (SCOPE.test(name)) yield* scanScope(trees, name);
    }
  }
}

/** The same of one scope, or (`null`) of the volume's own directory alone. */
export async function* scanScope(
  trees: TreeOperations,
  scopeHex: string | null,
): AsyncGenerator<Leftover, void, undefined> {
  for await (const entries of listAll(trees, scopeHex === null ? ROOT : Buffer.from(scopeHex))) {
    for (const name of textNames(entries)) yield* leftoversAt(trees, name, scopeHex);
  }
}

/** `name` stands directly in the scope's directory. */
async function* leftoversAt(
  trees: TreeOperations,
  name: string,
  scopeHex: string | null,
): AsyncGenerator<Leftover, void, undefined> {
  const path = Buffer.from(scopeHex === null ? name : `${scopeHex}/${name}`);
  const sibling = parseSiblingName(name, scopeHex);
  if (sibling) yield { kind: 'deletion', name: sibling, place: 'sibling', path };
  if (name === TRASH_DIRECTORY) yield* inTrash(trees, path, scopeHex);
  if (name === STAGING_DIRECTORY && scopeHex !== null) yield* inStaging(trees, path);
}

async function* inTrash(
  trees: TreeOperations,
  trash: Buffer,
  scopeHex: string | null,
): AsyncGenerator<Leftover, void, undefined> {
  for await (const entries of listAll(trees, trash)) {
    for (const entry of entries) {
      const name = parseTrashName(entry.name.toString(), scopeHex);
      if (name) yield { kind: 'deletion', name, place: 'trash', path: below(trash, entry) };
    }
  }
}

async function* inStaging(
  trees: TreeOperations,
  staging: Buffer,
): AsyncGenerator<Leftover, void, undefined> {
  for await (const entries of listAll(trees, staging)) {
    for (const entry of entries) {
      const name = parseStagingName(entry.name.toString());
      if (name) yield { kind: 'staging', jobId: name.jobId, path: below(staging, entry) };
    }
  }
}

/** Our own names are ASCII; what others are turned into matches none of them. */
function textNames(entries: readonly Entry[]): string[] {
  return entries.map(({ name }) => name.toString());
}

function below(directory: Buffer, { name }: Entry): Buffer {
  return Buffer.concat([directory, Buffer.from('/'), name]);
}
