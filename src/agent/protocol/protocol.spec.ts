import fc from 'fast-check';
import { StorageError } from '../../errors/storage-error.js';
import { SystemError } from '../../native/errno.js';
import { CodecError } from './codec.js';
import { decodeFailure, encodeFailure } from './failure.js';
import {
  encodeFrame,
  FRAME_KINDS,
  FrameReader,
  HEADER_BYTES,
  MAX_BODY_BYTES,
  MAX_REQUEST_ID,
  PROTOCOL_VERSION,
  ProtocolError,
  type Frame,
  type FrameKind,
} from './frame.js';
import { decodeRequest, encodeRequest, type AgentRequest } from './requests.js';
import { volumePath } from './volume-path.js';

const name = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes.map((byte) => (byte === 0 || byte === 0x2f ? 0xff : byte))))
  .filter((bytes) => !['.', '..'].includes(bytes.toString('latin1')));
const path = fc
  .array(name, { minLength: 1, maxLength: 8 })
  .map((names) =>
    Buffer.concat(names.flatMap((part, n) => (n > 0 ? [Buffer.from('/'), part] : [part]))),
  );
const limit = fc.option(fc.maxSafeNat());
const limits = fc.record(
  { hardBytes: limit, softBytes: limit, hardInodes: limit, softInodes: limit },
  { requiredKeys: [] },
);
const id = fc.integer({ min: 0, max: 0xffff_fffe });
const located = { volume: fc.string({ maxLength: 255 }), path };
const request = (operation: AgentRequest['operation'], parameters: object) =>
  fc.record(
    {
      operation: fc.constant(operation),
      parameters: fc.record(parameters as Record<string, fc.Arbitrary<unknown>>),
      origin: fc.string({ maxLength: 128 }),
    },
    { requiredKeys: ['operation', 'parameters'] },
  ) as fc.Arbitrary<AgentRequest>;
const anyRequest = fc.oneof(
  request('check-volume', { volume: located.volume }),
  request('initialise-project', { ...located, limits }),
  request('describe-project', located),
  request('limit-project', { ...located, limits }),
  request('release-project', located),
  request('chown', { ...located, uid: id, gid: id }),
  request('remove-tree', { ...located, keepDirectory: fc.boolean() }),
);

function readAll(reader: FrameReader): Frame[] {
  const frames: Frame[] = [];
  for (let frame = reader.next(); frame; frame = reader.next()) frames.push(frame);
  return frames;
}

/** Cuts `bytes` where `cuts` says. */
function chunks(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set([0, ...cuts.map((cut) => cut % bytes.length), bytes.length])];
  const sorted = places.toSorted((a, b) => a - b);
  return sorted.slice(1).map((end, n) => bytes.subarray(sorted[n], end));
}

describe('Frames', () => {
  const kind = fc.constantFrom(...(Object.keys(FRAME_KINDS) as FrameKind[]));
  const frame = fc.record({
    kind,
    id: fc.integer({ min: 0, max: MAX_REQUEST_ID }),
    body: fc.jsonValue({ maxDepth: 2 }).map((value): unknown => JSON.parse(JSON.stringify(value))),
  });

  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1 }), fc.array(fc.nat()), (frames, cuts) => {
        const reader = new FrameReader();
        const read = chunks(Buffer.concat(frames.map(encodeFrame)), cuts).flatMap((chunk) => {
          reader.push(chunk);
          return readAll(reader);
        });
        expect(read).toEqual(frames);
      }),
    );
  });

  it('that are hostile end in a ProtocolError, or wait for more, and nothing else', () => {
    const good = encodeFrame({ kind: 'request', id: 1, body: { operation: 'x' } });
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 64 }),
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
        (noise, damage) => {
          const bytes = Buffer.from(good);
          for (const [at, value] of damage) bytes[at] = value;
          const reader = new FrameReader();
          reader.push(Buffer.concat([bytes, noise]));
          try {
            readAll(reader);
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    ['another version', 4, PROTOCOL_VERSION + 1, 'run proxy and agent of the same release'],
    ['an unknown kind', 5, 99, 'unknown message kind 99'],
    ['reserved bytes', 7, 1, 'reserved bytes'],
    ['a length over the limit', 0, 1, 'longer than'],
    ['a body that is not UTF-8', HEADER_BYTES, 0xff, 'not JSON'],
  ])('with %s are refused', (_, at, value, message) => {
    const bytes = encodeFrame({ kind: 'request', id: 1, body: 'body' });
    bytes[at] = value;
    const reader = new FrameReader();
    reader.push(bytes);
    expect(() => reader.next()).toThrow(message);
  });

  it('are refused by their header, before a body comes that would not fit', () => {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(MAX_BODY_BYTES + 1, 0);
    header[4] = PROTOCOL_VERSION;
    const reader = new FrameReader();
    reader.push(header);
    expect(() => reader.next()).toThrow(ProtocolError);
    expect(() => encodeFrame({ kind: 'result', id: 1, body: 'x'.repeat(MAX_BODY_BYTES) })).toThrow(
      ProtocolError,
    );
  });
});

describe('Requests', () => {
  const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

  it('come out as they went in', () => {
    fc.assert(
      fc.property(anyRequest, (given) => {
        expect(decodeRequest(overTheWire(encodeRequest(given)))).toEqual(given);
      }),
    );
  });

  it('fit into a frame with the longest path there is', () => {
    const longest = Buffer.alloc(4095, 'x');
    for (let at = 255; at < longest.length; at += 256) longest[at] = 0x2f;
    const parameters = { volume: '\u{ffff}'.repeat(255), path: longest, uid: 1, gid: 1 };
    const body = encodeRequest({ operation: 'chown', parameters, origin: 'x'.repeat(500) });
    const reader = new FrameReader();
    reader.push(encodeFrame({ kind: 'request', id: 1, body }));
    expect(decodeRequest(reader.next()?.body)).toMatchObject({ parameters });
  });

  it('that say anything else end in a CodecError', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        expect(() => decodeRequest(body)).toThrow(CodecError);
      }),
    );
    const good = { operation: 'check-volume', parameters: { volume: 'v' } };
    expect(decodeRequest(good)).toEqual(good);
    for (const bad of [
      { ...good, operation: 'toString' },
      { ...good, extra: 1 },
      { ...good, parameters: { volume: 'v', path: 'eA==' } },
      { ...good, parameters: { volume: 1 } },
      { ...good, parameters: [] },
      { operation: 'chown', parameters: { volume: 'v', path: 'eA==', uid: -1, gid: 0 } },
      { operation: 'chown', parameters: { volume: 'v', path: 'eA==', uid: 0xffffffff, gid: 0 } },
      { operation: 'chown', parameters: { volume: 'v', path: 'eA==', uid: 1.5, gid: 0 } },
    ]) {
      expect(() => decodeRequest(bad)).toThrow(CodecError);
    }
  });

  it.each([
    '',
    '.',
    '..',
    '/',
    '/etc',
    'a/',
    'a//b',
    'a/./b',
    'a/../b',
    '../a',
    'a\0b',
    'x'.repeat(256),
  ])('about the path %j are refused', (text) => {
    expect(() => volumePath.decode(Buffer.from(text).toString('base64'))).toThrow(CodecError);
  });

  it.each(['eA', 'eA==\n', ' eA==', 'e_==', 'eB=='])('with %j for base64 are refused', (text) => {
    expect(() => volumePath.decode(text)).toThrow(CodecError);
  });
});

describe('Failures', () => {
  it('come out as what they were', () => {
    const details = {
      subject: 'volume',
      volume: 'v',
      data: { limit_bytes: 1 },
      errno: 28,
    } as const;
    for (const error of [
      new SystemError(122, 'quotactl'),
      new StorageError('UNAVAILABLE', 'no pquota', details),
    ]) {
      const back = decodeFailure(JSON.parse(JSON.stringify(encodeFailure(error))));
      expect(back).toEqual(error);
      expect(back.constructor).toBe(error.constructor);
      expect(Object.entries(back)).toEqual(Object.entries(error));
    }
  });

  it('that nobody foresaw keep their text from the proxy', () => {
    const back = decodeFailure(encodeFailure(new TypeError('secret path')));
    expect(back).toMatchObject({ code: 'INTERNAL' });
    expect(back.message).not.toContain('secret');
  });

  it('that are not understood end in a CodecError', () => {
    fc.assert(
      fc.property(fc.anything(), (body) => {
        try {
          decodeFailure(body);
        } catch (error) {
          expect(error).toBeInstanceOf(CodecError);
        }
      }),
    );
  });
});
