import { isStorageError } from '../../errors/storage-error.js';
import { planDownload, type DownloadPlan, type DownloadRequest } from './download-plan.js';

const content = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
const file = { name: Buffer.from('café.csv'), sizeBytes: 1000, mtimeNs: 0x18a2f3c4d5e60000n };
const etag = '"18a2f3c4d5e60000-3e8"';
const validators = {
  etag,
  'last-modified': new Date(Number(file.mtimeNs / 1_000_000n)).toUTCString(),
};

const plan = (
  headers: DownloadRequest['headers'] = {},
  method: 'GET' | 'HEAD' = 'GET',
  noCache = false,
): DownloadPlan => planDownload({ method, headers, noCache }, file, () => 'BOUNDARY');

/** What the client would receive. */
const rendered = ({ body }: DownloadPlan): Buffer =>
  Buffer.concat(
    body.map((part) =>
      Buffer.isBuffer(part) ? part : content.subarray(part.start, part.start + part.length),
    ),
  );

describe('planDownload', () => {
  it('answers with the whole file and everything a client needs to resume', () => {
    expect(plan()).toEqual({
      status: 200,
      headers: {
        'content-type': 'application/octet-stream',
        'content-disposition': `attachment;filename="caf.csv"; filename*=UTF-8''caf%C3%A9.csv`,
        'accept-ranges': 'bytes',
        'content-length': '1000',
        ...validators,
      },
      body: [{ start: 0, length: 1000 }],
    });
  });

  it('answers HEAD with the same headers and no body, whatever the range', () => {
    const head = plan({ range: 'bytes=0-9' }, 'HEAD');
    expect(head).toEqual({ ...plan(), body: [] });
  });

  it('adds Cache-Control when asked for', () => {
    expect(plan({}, 'GET', true).headers).toMatchObject({ 'cache-control': 'no-store' });
    expect(plan().headers).not.toHaveProperty('cache-control');
  });

  it('answers one range with 206', () => {
    const { status, headers, body } = plan({ range: 'bytes=10-19' });
    expect(status).toBe(206);
    expect(headers).toMatchObject({ 'content-range': 'bytes 10-19/1000', 'content-length': '10' });
    expect(body).toEqual([{ start: 10, length: 10 }]);
  });

  it('answers several ranges in parts of exactly the length announced', () => {
    const answer = plan({ range: 'bytes=900-,0-4' });
    const body = rendered(answer);
    expect(answer.status).toBe(206);
    expect(answer.headers).toMatchObject({
      'content-type': 'multipart/byteranges; boundary=BOUNDARY',
      'content-length': String(body.length),
    });
    expect(answer.headers).not.toHaveProperty('content-range');
    const head = (range: string): string =>
      `--BOUNDARY\r\nContent-Type: application/octet-stream\r\nContent-Range: bytes ${range}/1000\r\n\r\n`;
    expect(body.toString('latin1')).toBe(
      head('900-999') +
        content.toString('latin1', 900) +
        '\r\n' +
        head('0-4') +
        content.toString('latin1', 0, 5) +
        '\r\n--BOUNDARY--\r\n',
    );
  });

  it('sends one range plainly when the others are empty or joined', () => {
    expect(plan({ range: 'bytes=0-4,2000-' }).headers).toHaveProperty('content-range');
    expect(plan({ range: 'bytes=0-4,3-9' }).headers).toMatchObject({
      'content-range': 'bytes 0-9/1000',
    });
  });

  it('refuses a range past the end and says how long the file is', () => {
    try {
      plan({ range: 'bytes=1000-' });
      expect('not refused').toBe('refused');
    } catch (error) {
      expect(isStorageError(error, 'RANGE_NOT_SATISFIABLE')).toBe(true);
      expect(error).toMatchObject({ details: { headers: { 'content-range': 'bytes */1000' } } });
    }
  });

  it.each([
    [{ range: 'bytes=0-4', 'if-range': etag }, 206],
    [{ range: 'bytes=0-4', 'if-range': validators['last-modified'] }, 206],
    [{ range: 'bytes=0-4', 'if-range': '"old"' }, 200],
    [{ range: 'bytes=5000-', 'if-range': '"old"' }, 200],
    [{ range: 'bytes=0-4', 'if-none-match': etag }, 304],
    [{ 'if-modified-since': validators['last-modified'] }, 304],
  ])('%j: %d', (headers, status) => {
    expect(plan(headers).status).toBe(status);
  });

  it('answers 304 with validators and nothing else', () => {
    expect(plan({ 'if-none-match': etag }, 'GET', true)).toEqual({
      status: 304,
      headers: { ...validators, 'cache-control': 'no-store' },
      body: [],
    });
  });

  it('refuses when a precondition fails, before it looks at the range', () => {
    expect(() => plan({ 'if-match': '"old"', range: 'bytes=5000-' })).toThrow(
      expect.objectContaining({ code: 'PRECONDITION_FAILED' }),
    );
  });

  it('answers an empty file without parts', () => {
    const empty = planDownload(
      { method: 'GET', headers: {}, noCache: false },
      { ...file, sizeBytes: 0 },
    );
    expect(empty).toMatchObject({ status: 200, headers: { 'content-length': '0' }, body: [] });
  });
});
