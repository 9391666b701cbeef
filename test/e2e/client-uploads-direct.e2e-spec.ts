import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync } from 'node:fs';
import { Agent, request } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { ClientPlanes, type ClientPlane } from '../support/client-plane.js';
import { answerTo, begin, send, type Answer } from '../support/http.js';

/** Bodies so large that they are read from their sockets, without Node's HTTP parser. */
const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const MIB = 1024 * 1024;
const CONTENT = randomBytes(6 * MIB);

let planes: ClientPlanes;
let plane: ClientPlane;
let folder: string;

beforeAll(async () => {
  planes = new ClientPlanes();
  plane = await planes.start();
  folder = await plane.createVFolder(SCOPED);
});

afterAll(() => planes.stop());

const begun = (path: string): Promise<{ token: string; session: string }> =>
  plane.uploadToken({ vfid: SCOPED, path, size: CONTENT.length });
const issue = async (path: string): Promise<string> => plane.uploadUrl((await begun(path)).token);
const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const digest = (path: string): string => sha(readFileSync(join(folder, path)));

it('takes piece after piece on one connection, with other requests in between', async () => {
  const url = await issue('pieces');
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  const exchange = async (method: string, offset: number, body?: Buffer): Promise<Answer> => {
    const headers = { 'upload-offset': offset, ...(body && { 'content-length': body.length }) };
    const outgoing = request(url, { method, agent, headers });
    outgoing.once('socket', (socket: net.Socket) => sockets.add(socket));
    const answer = answerTo(outgoing);
    outgoing.end(body);
    return answer;
  };
  for (let offset = 0; offset < CONTENT.length; offset += 2 * MIB) {
    const end = offset + 2 * MIB;
    const { headers } = await exchange('PATCH', offset, CONTENT.subarray(offset, end));
    expect(headers['upload-offset']).toBe(String(end));
    expect((await exchange('OPTIONS', 0)).status).toBe(200);
  }
  agent.destroy();
  expect(sockets.size).toBe(1);
  expect(digest('pieces')).toBe(sha(CONTENT));
});

it('finds the requests that a client has sent right after the body', async () => {
  const { host, pathname, search } = new URL(await issue('pipelined'));
  const head = (method: string, offset: number, length: number): string =>
    `${method} ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpload-Offset: ${offset}\r\n` +
    `Content-Length: ${length}\r\nConnection: ${method === 'HEAD' ? 'close' : 'keep-alive'}\r\n\r\n`;
  const socket = net.connect(plane.port, '127.0.0.1');
  const half = CONTENT.length / 2;
  socket.write(head('PATCH', 0, half));
  socket.write(CONTENT.subarray(0, half));
  socket.write(head('PATCH', half, half));
  socket.write(CONTENT.subarray(half));
  socket.write(head('HEAD', 0, 0));
  const answers = await text(socket);
  expect(answers.match(/^HTTP\/1\.1 \d+/gm)).toEqual(
    ['204', '204', '200'].map((code) => `HTTP/1.1 ${code}`),
  );
  expect(digest('pipelined')).toBe(sha(CONTENT));
});

it('invites a client that waits for that', async () => {
  const url = await issue('invited');
  const outgoing = begin('PATCH', url, {
    'upload-offset': 0,
    'content-length': CONTENT.length,
    expect: '100-continue',
  });
  const answer = answerTo(outgoing);
  outgoing.flushHeaders();
  await once(outgoing, 'continue');
  outgoing.end(CONTENT);
  expect((await answer).status).toBe(204);
  expect(digest('invited')).toBe(sha(CONTENT));
});

it('lets go of a body that stands still, says so, and takes requests on the same connection again', async () => {
  const { token, session } = await begun('stalled');
  const url = plane.uploadUrl(token);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const headers = { 'upload-offset': 0, 'content-length': CONTENT.length };
  const stalled = request(url, { method: 'PATCH', agent, headers });
  const refused = answerTo(stalled);
  stalled.write(CONTENT.subarray(0, 5 * MIB));
  while (statSync(join(folder, '.upload', session)).size < 5 * MIB) await sleep(10);
  const arrived = Number((await send('HEAD', url)).headers['upload-offset']);
  expect([arrived, (await refused).status]).toEqual([5 * MIB, 409]);
  stalled.end(CONTENT.subarray(5 * MIB));
  const rest = request(url, {
    method: 'PATCH',
    agent,
    headers: { 'upload-offset': arrived, 'content-length': CONTENT.length - arrived },
  });
  const answer = answerTo(rest);
  rest.end(CONTENT.subarray(arrived));
  expect((await answer).status).toBe(204);
  agent.destroy();
  expect(digest('stalled')).toBe(sha(CONTENT));
});
