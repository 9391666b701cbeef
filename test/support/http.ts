import {
  request,
  type ClientRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly bytes: Buffer;
  readonly text: string;
  /** The body as JSON; `{}` when there is none. */
  readonly json: Record<string, unknown>;
}

/** Starts a request on a connection of its own; the caller writes and ends it. */
export function begin(
  method: string,
  url: string,
  headers: Record<string, string | number> = {},
): ClientRequest {
  return request(url, { method, headers, agent: false });
}

/** Sends a request with a whole body and gathers the answer. */
export function send(
  method: string,
  url: string,
  headers: Record<string, string | number> = {},
  body?: Buffer,
): Promise<Answer> {
  const length = body ? { 'content-length': body.length } : {};
  const outgoing = begin(method, url, { ...length, ...headers });
  const answer = answerTo(outgoing);
  outgoing.end(body);
  return answer;
}

/** The answer to a request that was begun. */
export function answerTo(outgoing: ClientRequest): Promise<Answer> {
  return new Promise((resolve, reject) => {
    outgoing.once('error', reject);
    outgoing.once('response', (incoming: IncomingMessage) => {
      const chunks: Buffer[] = [];
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
      incoming.once('error', reject);
      incoming.once('end', () => {
        const bytes = Buffer.concat(chunks);
        const text = bytes.toString();
        const isJson = incoming.headers['content-type']?.includes('json') ?? false;
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          bytes,
          text,
          json: isJson && text ? (JSON.parse(text) as Record<string, unknown>) : {},
        });
      });
    });
  });
}
