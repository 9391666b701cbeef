/** What the outside can ask of the primary. */
export interface SignalHandlers {
  /** SIGTERM, SIGINT. */
  readonly end: () => void;
  /** SIGHUP. */
  readonly reload: () => void;
}

/** Routes signals; returns the way to stop that. */
export function onSignals({ end, reload }: SignalHandlers): () => void {
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  process.on('SIGHUP', reload);
  return () => {
    process.off('SIGTERM', end);
    process.off('SIGINT', end);
    process.off('SIGHUP', reload);
  };
}
