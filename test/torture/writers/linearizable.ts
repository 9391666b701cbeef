/** One operation that somebody saw: when it began, and when its answer came. */
export interface Observed<Operation> {
  readonly start: number;
  /** `Infinity`: no answer came, so that it may have taken effect at any later time, or never. */
  readonly end: number;
  readonly operation: Operation;
}

/** What the thing would do if one operation after another were made. */
export interface SequentialModel<State, Operation> {
  readonly initial: State;
  /** The state after the operation; `undefined` when it could not have been answered so in this state. */
  next(state: State, operation: Operation): State | undefined;
  /** Equal for equal states. */
  key(state: State): string;
}

/**
 * Whether the operations could have happened one after another, each at some moment between its start and its end
 * (Herlihy and Wing 1990; the search is that of Wing and Gong 1993, not looking twice at the same set of operations
 * in the same state).
 */
export function isLinearizable<State, Operation>(
  history: readonly Observed<Operation>[],
  model: SequentialModel<State, Operation>,
): boolean {
  const seen = new Set<string>();
  const search = (left: ReadonlySet<Observed<Operation>>, state: State): boolean => {
    if ([...left].every(({ end }) => end === Infinity)) return true;
    const key = `${history.map((one) => (left.has(one) ? '1' : '0')).join('')} ${model.key(state)}`;
    if (seen.has(key)) return false;
    seen.add(key);
    const firstEnd = Math.min(...[...left].map(({ end }) => end));
    for (const candidate of left) {
      // Something has ended before this one began, so this one was not first.
      if (candidate.start > firstEnd) continue;
      const after = model.next(state, candidate.operation);
      if (after === undefined) continue;
      const rest = new Set(left);
      rest.delete(candidate);
      if (search(rest, after)) return true;
    }
    return false;
  };
  return search(new Set(history), model.initial);
}
