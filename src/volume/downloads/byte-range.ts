/** Part of a file: `length` bytes from `start`; never empty. */
export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

/**
 * What a `Range` header asks of a representation: `whole` when the header must be or may be ignored,
 * otherwise the satisfiable ranges in the order asked for, `[]` when there is none (416).
 */
export type RangeSelection = 'whole' | readonly ByteRange[];

/** More than any client needs; a longer list is a way to make a server work, and RFC 9110 14.2 lets us ignore it. */
const MAX_RANGES = 100;
/** Ranges closer than this are cheaper to send as one than as two parts with headers of their own. */
const COALESCED_GAP_BYTES = 80;

const BYTES_UNIT = /^bytes=/i;
const RANGE_SPEC = /^(\d*)-(\d*)$/;

/**
 * Reads a `Range` header (RFC 9110, section 14.2) against a representation of `size` bytes. A unit we do
 * not know is ignored, as the RFC demands; a malformed set of byte ranges selects nothing, which clients
 * of this wire know as 416. Ranges that overlap or nearly touch are sent as one.
 */
export function selectRanges(header: string | undefined, size: number): RangeSelection {
  if (header === undefined || !BYTES_UNIT.test(header)) return 'whole';
  // RFC 9110, 5.6.1: recipients accept empty list elements.
  const specs = header
    .slice(header.indexOf('=') + 1)
    .split(',')
    .map((spec) => spec.trim())
    .filter((spec) => spec !== '');
  if (specs.length > MAX_RANGES) return 'whole';
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = readSpec(spec, size);
    if (range === 'malformed') return [];
    if (range === 'everything') return 'whole';
    if (range !== 'unsatisfiable') ranges.push(range);
  }
  return coalesce(ranges);
}

function readSpec(
  spec: string,
  size: number,
): ByteRange | 'malformed' | 'unsatisfiable' | 'everything' {
  const match = RANGE_SPEC.exec(spec);
  if (!match || spec === '-') return 'malformed';
  const [, first = '', last = ''] = match;
  // Positions past 2^53 lose digits as numbers, which does not matter: no file is that large.
  if (first === '') {
    const suffix = Number(last);
    if (suffix === 0) return 'unsatisfiable';
    // The last n bytes of nothing are satisfiable (14.1.2), but no Content-Range can say so.
    if (size === 0) return 'everything';
    const start = Math.max(0, size - suffix);
    return { start, length: size - start };
  }
  const start = Number(first);
  const end = last === '' ? Infinity : Number(last);
  if (end < start) return 'malformed';
  if (start >= size) return 'unsatisfiable';
  return { start, length: Math.min(end, size - 1) - start + 1 };
}

/** Joins what overlaps or nearly touches; each group stands where its first member stood. */
function coalesce(ranges: readonly ByteRange[]): ByteRange[] {
  const sorted = ranges
    .map((range, position) => ({ start: range.start, end: range.start + range.length, position }))
    .toSorted((a, b) => a.start - b.start);
  const groups: typeof sorted = [];
  for (const range of sorted) {
    const group = groups.at(-1);
    if (group && range.start <= group.end + COALESCED_GAP_BYTES) {
      group.end = Math.max(group.end, range.end);
      group.position = Math.min(group.position, range.position);
    } else {
      groups.push({ ...range });
    }
  }
  return groups
    .toSorted((a, b) => a.position - b.position)
    .map(({ start, end }) => ({ start, length: end - start }));
}
