/** How a volume can differ from what the quotas of its scopes and vfolders need. `docs/xfs.md` explains each. */
export type FindingKind =
  | 'no-project'
  | 'wrong-id'
  | 'shared-id'
  | 'foreign-entries'
  | 'unreadable'
  | 'wrong-limit'
  | 'id-without-directory'
  | 'listing'
  | 'default-limit';

export interface Finding {
  readonly kind: FindingKind;
  /** Below the mount path; `null` when it is about an id or about the volume. */
  readonly path: string | null;
  /** What was found, as a clause. */
  readonly text: string;
  /** `note`: nothing is wrong, but the operator should know. */
  readonly state: 'found' | 'repaired' | 'note';
}
