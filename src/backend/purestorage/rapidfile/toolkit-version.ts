/** Major version of the RapidFile Toolkit: the programs, their options and their output differ. */
export type ToolkitMajor = 1 | 2;

export interface ToolkitVersion {
  readonly major: ToolkitMajor;
  /** As the program says it, `2.1.0`. */
  readonly text: string;
}

/**
 * Toolkit 1: `pdu (RapidFile Toolkit) 1.0.0-beta.5`; toolkit 2: `version pdu (RapidFile) 2.1.1` (the first line that an
 * integration in production matches). Both spellings are taken for both.
 */
const FIRST_LINE = /^\s*(?:version\s+)?\S+\s+\(RapidFile(?: Toolkit)?\)\s+(([12])\.[0-9][\w.+-]*)/i;

/**
 * What `--version` printed; undefined for a program that is not of the toolkit. Others have the same names: `pdu` is
 * also a disk usage tool written in Rust, `pcp` belongs to Performance Co-Pilot.
 */
export function parseToolkitVersion(output: string): ToolkitVersion | undefined {
  const [, text, major] = FIRST_LINE.exec(output.split('\n', 1)[0] ?? '') ?? [];
  if (text === undefined) return undefined;
  return { major: major === '1' ? 1 : 2, text };
}
