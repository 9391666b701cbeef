import type { Observed, SequentialModel } from './linearizable.js';

/** What a client of an upload asked and what it was told. */
export type UploadOperation =
  | { readonly kind: 'head'; readonly offset: number }
  /** `kept`: how many of its bytes are in the file in the end; `told`: the offset of a 204. */
  | {
      readonly kind: 'patch';
      readonly writer: number;
      readonly from: number;
      readonly kept: number;
      readonly told: number | undefined;
    }
  /** 409: the upload does not stand there. */
  | { readonly kind: 'mismatch'; readonly from: number };

/** An upload is a number, where it stands, that grows. */
export const uploadModel: SequentialModel<number, UploadOperation> = {
  initial: 0,
  key: String,
  next(offset, operation) {
    switch (operation.kind) {
      case 'head':
        return operation.offset === offset ? offset : undefined;
      case 'mismatch':
        return operation.from === offset ? undefined : offset;
      case 'patch': {
        const { from, kept, told } = operation;
        if (told !== undefined) return from === offset && told === from + kept ? told : undefined;
        if (kept === 0) return offset;
        return from === offset ? from + kept : undefined;
      }
    }
  },
};

/** The byte at `position` of the file when `writer` (1…255) sent it. */
function byteOf(writer: number, position: number): number {
  return position % 2 === 0 ? writer : (position >> 1) & 0xff;
}

/** A body whose bytes tell who sent them, and for where. */
export function bodyOf(writer: number, from: number, length: number): Buffer {
  const body = Buffer.allocUnsafe(length);
  for (let index = 0; index < length; index++) body[index] = byteOf(writer, from + index);
  return body;
}

/** How many bytes from `from` on are those of `writer`, without a gap. */
export function keptOf(file: Buffer, writer: number, from: number, length: number): number {
  let kept = 0;
  while (kept < length && file[from + kept] === byteOf(writer, from + kept)) kept++;
  // A lone byte in between may look right by chance.
  return kept === 1 && from % 2 === 1 ? 0 : kept;
}

/** What is wrong with the file, given who claims which part of it. */
export function misattributed(
  file: Buffer,
  history: readonly Observed<UploadOperation>[],
): string[] {
  const parts = history
    .map(({ operation }) => operation)
    .filter((operation) => operation.kind === 'patch' && operation.kept > 0)
    .map((operation) => operation as Extract<UploadOperation, { kind: 'patch' }>)
    .toSorted((a, b) => a.from - b.from);
  const found: string[] = [];
  let position = 0;
  for (const { writer, from, kept } of parts) {
    if (from !== position) found.push(`writer ${writer} wrote from ${from}, not ${position}`);
    position = from + kept;
  }
  if (position !== file.length) found.push(`nobody wrote from ${position} to ${file.length}`);
  return found;
}
