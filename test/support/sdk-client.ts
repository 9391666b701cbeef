import { request } from 'node:http';
import { answerTo, send, type Answer } from './http.js';

/** Chunk size of the SDK; tests use less. */
export interface SdkUpload {
  readonly url: string;
  readonly token: string;
  readonly content: Buffer;
  readonly chunkBytes: number;
}

/**
 * Uploads as the SDK of Backend.AI does (protocol section 11.1): no OPTIONS, no HEAD, each chunk on a new
 * connection, and any answer other than 204 with an offset is the end of it.
 */
export async function sdkUpload({ url, token, content, chunkBytes }: SdkUpload): Promise<void> {
  for (let offset = 0; offset < content.length;) {
    const chunk = content.subarray(offset, offset + chunkBytes);
    const answer = await send(
      'PATCH',
      `${url}?token=${token}`,
      {
        'Upload-Offset': offset,
        'Tus-Resumable': '1.0.0',
        'Content-Type': 'application/offset+octet-stream',
      },
      chunk,
    );
    const next = Number(answer.headers['upload-offset']);
    if (answer.status !== 204 || !(next > offset)) {
      throw new Error(`the SDK gives up after ${answer.status}: ${answer.text}`);
    }
    offset = next;
  }
}

/**
 * Downloads as the SDK does (section 11.2), with a connection that breaks after `breakAfter` bytes: the rest is
 * asked for by range and the date of the first answer.
 */
export async function sdkDownload(url: string, breakAfter: number): Promise<Buffer> {
  const first = await firstPart(url, breakAfter);
  const rest: Answer = await send('GET', url, {
    'Accept-Encoding': 'gzip, deflate',
    'If-Range': first.lastModified,
    Range: `bytes=${first.bytes.length}-`,
  });
  if (rest.status === 200) return rest.bytes;
  if (rest.status !== 206) throw new Error(`not resumed: ${rest.status}`);
  const whole = Buffer.concat([first.bytes, rest.bytes]);
  if (whole.length !== first.lengthBytes) throw new Error('the length is not the one announced');
  return whole;
}

interface FirstPart {
  readonly bytes: Buffer;
  readonly lengthBytes: number;
  readonly lastModified: string;
}

function firstPart(url: string, breakAfter: number): Promise<FirstPart> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      agent: false,
      headers: { 'Accept-Encoding': 'gzip, deflate' },
    });
    outgoing.once('error', reject);
    outgoing.once('response', (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on('error', () => undefined);
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        const bytes = Buffer.concat(chunks);
        if (bytes.length < breakAfter) return;
        incoming.destroy();
        resolve({
          bytes: bytes.subarray(0, breakAfter),
          lengthBytes: Number(incoming.headers['content-length']),
          lastModified: String(incoming.headers['last-modified']),
        });
      });
    });
    outgoing.end();
  });
}

/**
 * Resumes as tus clients do: HEAD and PATCH again after any failure, for as long as it takes. Rejects when it is told of a
 * conflict, which a client that is alone and has just asked for the offset cannot be part of.
 */
export async function stubbornUpload(upload: SdkUpload, deadlineMs: number): Promise<void> {
  const { url, token, content, chunkBytes } = upload;
  const target = `${url}?token=${token}`;
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    if (Date.now() > deadline) throw new Error('the upload does not come to its end');
    let status = 0;
    try {
      const head = await send('HEAD', target);
      if (head.status !== 200) continue;
      const offset = Number(head.headers['upload-offset']);
      if (offset === content.length) return;
      const outgoing = request(target, {
        method: 'PATCH',
        agent: false,
        headers: { 'Upload-Offset': offset, 'Tus-Resumable': '1.0.0' },
      });
      const answer = answerTo(outgoing);
      outgoing.end(content.subarray(offset, offset + chunkBytes));
      ({ status } = await answer);
    } catch {
      // The connection broke: ask again.
    }
    if (status === 409) throw new Error('409 although nobody else writes');
  }
}
