/**
 * The one mapping from (operation, code, subject, reason) to what goes on the wire. `docs/errors.md`
 * documents every row, a spec keeps both in step.
 *
 * Why the domains are what they are: the manager turns an `error_code` of domain `vfolder` into
 * 400/404/410 for its caller, domain `quota-scope` with 404 into "scope not found", and everything
 * else into an unexpected failure (500). So what a user can correct has domain `vfolder`.
 */
import type { ProblemKey } from './problem-key.js';
import type { ProblemRow, ProblemRows } from './problem-row.js';
import { GENERAL_ROWS } from './problem-rows-general.js';
import { GROUP_ROWS, OPERATION_ROWS } from './problem-rows-special.js';
import { OPERATIONS, type Operation, type OperationGroup } from './operations.js';

/** Where a row applies: everywhere, to a group of operations, or to one. */
export type ProblemScope = 'any' | OperationGroup | Operation;

/** Every row with its scope, in a stable order; for documentation and specs. */
export function* allProblemRows(): Generator<[ProblemScope, ProblemKey, ProblemRow]> {
  yield* entries('any', GENERAL_ROWS);
  for (const group of Object.keys(GROUP_ROWS) as OperationGroup[]) {
    yield* entries(group, GROUP_ROWS[group] ?? {});
  }
  for (const operation of Object.keys(OPERATION_ROWS) as Operation[]) {
    yield* entries(operation, OPERATION_ROWS[operation] ?? {});
  }
}

function* entries(
  scope: ProblemScope,
  rows: ProblemRows,
): Generator<[ProblemScope, ProblemKey, ProblemRow]> {
  for (const [key, row] of Object.entries(rows)) yield [scope, key as ProblemKey, row];
}

/**
 * The row for the first of `keys` (most specific first) that a scope knows; the operation's own rows
 * win over its group's, those over the general ones. Every bare code has a general row.
 */
export function findProblemRow(
  keys: readonly ProblemKey[],
  operation: Operation | undefined,
): ProblemRow {
  const scopes: ProblemRows[] = [GENERAL_ROWS];
  if (operation !== undefined) {
    scopes.unshift(OPERATION_ROWS[operation] ?? {}, GROUP_ROWS[OPERATIONS[operation].group] ?? {});
  }
  for (const rows of scopes) {
    for (const key of keys) {
      const row = rows[key];
      if (row) return row;
    }
  }
  return GENERAL_ROWS.INTERNAL;
}
