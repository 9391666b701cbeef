/** `anycast`: one manager gets it, from a stream; `broadcast`: about a job, for whoever watches it. */
export type EventKind = 'anycast' | 'broadcast';

export type EventValue = string | number | null;

/** An event of protocol section 8.4, independent of how it is encoded. */
export interface ClusterEvent {
  readonly name: string;
  readonly kind: EventKind;
  /** In the order of the table, which is the order of the positional encoding. */
  readonly members: readonly (readonly [name: string, value: EventValue])[];
  /** The job it is about; with `name` it identifies the event. */
  readonly job: string;
  /** Hex UUIDs of the vfolders it tells of: what is told of one has to stay in order. */
  readonly folders: readonly string[];
}
