/** Abilities as named on the wire (protocol section 6.1). Computed from the strategies, never typed by hand. */
export type Capability =
  'vfolder' | 'quota' | 'metric' | 'fast-fs-size' | 'fast-scan' | 'fast-size';
