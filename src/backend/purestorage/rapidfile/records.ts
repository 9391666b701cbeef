import { ToolError } from './tool-error.js';

/** Longer than any record can be: a path of 4096 bytes, each escaped as six, and the figures beside it. */
const MAX_RECORD_BYTES = 64 * 1024;

/**
 * Cuts a byte stream into the records that end with `delimiter`, which is left off. Asks for the next chunk only when
 * the last one is used up, so a reader that stops stops the writer. What stands behind the last delimiter is a record
 * that was cut short: ToolError.
 */
export async function* splitRecords(
  chunks: AsyncIterable<Buffer>,
  delimiter: number,
): AsyncGenerator<Buffer, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (
      let end = bytes.indexOf(delimiter, rest.length);
      end >= 0;
      end = bytes.indexOf(delimiter)
    ) {
      yield bytes.subarray(0, end);
      bytes = bytes.subarray(end + 1);
      rest = bytes;
    }
    rest = bytes;
    if (rest.length > MAX_RECORD_BYTES)
      throw new ToolError('its output has a record without an end');
  }
  if (rest.length > 0) throw new ToolError('its output ends in the middle of a record');
}
