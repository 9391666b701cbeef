/**
 * A message on the agent's socket:
 *
 *     0  4  length of the body, bytes
 *     4  1  protocol version
 *     5  1  kind
 *     6  2  zero
 *     8  4  request id: the client's choice, unique among its unanswered requests; 0 concerns the connection
 *    12  …  body: one JSON value in UTF-8
 *
 * Integers are big-endian. The header is the same in all versions, so that either side can say what it expected.
 */
export const PROTOCOL_VERSION = 1;
export const HEADER_BYTES = 12;
/** The longest path in base64 takes 5,460 bytes. */
export const MAX_BODY_BYTES = 16 * 1024;
export const MAX_REQUEST_ID = 0xffff_ffff;

export const FRAME_KINDS = {
  request: 1,
  /** The request was carried out; the body is its result. */
  result: 2,
  /** It was not; the body is a failure. With id 0 the connection ends with it. */
  failure: 3,
  /** It is being worked on: the answer takes longer than usual. Any number of these come before an answer. */
  working: 4,
} as const;

export type FrameKind = keyof typeof FRAME_KINDS;

export interface Frame {
  readonly kind: FrameKind;
  readonly id: number;
  /** What JSON can hold; not checked yet. */
  readonly body: unknown;
}

/** The peer does not speak this protocol. Nothing that follows on the connection can be understood. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError';
}

/** Throws ProtocolError for a body over the limit. */
export function encodeFrame({ kind, id, body }: Frame): Buffer {
  const text = Buffer.from(JSON.stringify(body ?? null));
  if (text.length > MAX_BODY_BYTES) {
    throw new ProtocolError(`a message of ${text.length} bytes is longer than ${MAX_BODY_BYTES}`);
  }
  const frame = Buffer.alloc(HEADER_BYTES + text.length);
  frame.writeUInt32BE(text.length, 0);
  frame.writeUInt8(PROTOCOL_VERSION, 4);
  frame.writeUInt8(FRAME_KINDS[kind], 5);
  frame.writeUInt32BE(id, 8);
  text.copy(frame, HEADER_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames. */
export class FrameReader {
  #pending: Buffer = Buffer.alloc(0);

  /** What came on the connection. */
  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
  }

  /** The next frame, once it is whole. Throws ProtocolError, after which the reader is of no use. */
  next(): Frame | undefined {
    if (this.#pending.length < HEADER_BYTES) return undefined;
    const { kind, id, length } = decodeHeader(this.#pending);
    const end = HEADER_BYTES + length;
    if (this.#pending.length < end) return undefined;
    const body = parseBody(this.#pending.subarray(HEADER_BYTES, end));
    this.#pending = this.#pending.subarray(end);
    return { kind, id, body };
  }
}

const KIND_BY_NUMBER: ReadonlyMap<number, FrameKind> = new Map(
  Object.entries(FRAME_KINDS).map(([kind, number]) => [number, kind as FrameKind]),
);

function decodeHeader(bytes: Buffer): { kind: FrameKind; id: number; length: number } {
  const version = bytes.readUInt8(4);
  // Before anything else: only this tells both sides what is wrong after one of them was upgraded.
  if (version !== PROTOCOL_VERSION) {
    throw new ProtocolError(
      `protocol version ${version} was spoken where ${PROTOCOL_VERSION} is understood: run proxy and agent of the same release`,
    );
  }
  const length = bytes.readUInt32BE(0);
  if (length > MAX_BODY_BYTES) {
    throw new ProtocolError(`a message of ${length} bytes is longer than ${MAX_BODY_BYTES}`);
  }
  const kind = KIND_BY_NUMBER.get(bytes.readUInt8(5));
  if (kind === undefined) throw new ProtocolError(`unknown message kind ${bytes.readUInt8(5)}`);
  if (bytes.readUInt16BE(6) !== 0) throw new ProtocolError('reserved bytes are not zero');
  return { kind, id: bytes.readUInt32BE(8), length };
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

function parseBody(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch (error) {
    throw new ProtocolError('a message is not JSON in UTF-8', { cause: error });
  }
}
