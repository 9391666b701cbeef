import { Agent, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Controller, Get, Head, Module, Patch, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { StorageError } from '../errors/storage-error.js';
import { configureLogging } from '../observability/logger.js';
import { tracedRequest } from '../observability/request-context.js';
import { clientCors } from './cors.js';
import { managerAuth, type ManagerSecret } from './manager-auth.js';
import { Operation } from './operation.decorator.js';
import { createPlaneApp, type PlaneApp, type PlaneOptions } from './plane-app.js';
import { send as request, type RequestOptions } from './testing/http-client.js';
import { SELF_SIGNED } from './testing/self-signed.js';

const doc = { summary: 's', description: 'd' };
let release: () => void = () => undefined;

@Controller()
class TestController {
  @Get('volumes')
  @Operation('volumes.list', { ...doc, body: 'none' })
  volumes(): object {
    return { volumes: [], traced: tracedRequest()?.operation ?? null };
  }

  @Get('used-bytes')
  @Operation('folder.used-bytes', doc)
  async usedBytes(): Promise<object> {
    await Promise.resolve();
    return { traced: tracedRequest()?.operation ?? null };
  }

  @Get('status')
  @Operation('status.read', doc)
  status(): object {
    return { status: 'ok' };
  }

  @Get('slow')
  @Operation('folder.usage', doc)
  async slow(): Promise<object> {
    await new Promise<void>((resolve) => (release = resolve));
    return {};
  }

  @Get('download')
  @Operation('download', doc)
  download(@Res() reply: FastifyReply): void {
    void reply.header('etag', '"x"').header('accept-ranges', 'bytes').send('content');
  }

  @Head('download')
  @Operation('download.head', doc)
  head(@Res() reply: FastifyReply): void {
    reply.hijack();
    reply.raw.writeHead(200, { ETag: '"x"' }).end();
  }

  @Patch('upload')
  @Operation('upload.patch', { ...doc, body: 'stream' })
  patch(): never {
    throw new StorageError('NOT_FOUND', 'no such session', { subject: 'upload' });
  }

  @Post('upload')
  @Operation('upload.create', { ...doc, body: 'stream' })
  create(): void {}
}

@Module({ controllers: [TestController] })
class TestModule {}

const running: PlaneApp[] = [];
async function start(options: PlaneOptions): Promise<{ plane: PlaneApp; port: number }> {
  const plane = await createPlaneApp(TestModule, options);
  running.push(plane);
  await plane.app.listen(0, '127.0.0.1');
  return { plane, port: (plane.app.getHttpServer().address() as AddressInfo).port };
}

beforeAll(() => configureLogging({ level: 'fatal' }));
afterEach(() => Promise.all(running.splice(0).map((plane) => plane.app.close())), 20_000);

describe('manager authentication', () => {
  let secrets: ManagerSecret[];
  let send: (path: string, secret?: string, method?: string) => ReturnType<typeof request>;

  beforeEach(async () => {
    secrets = [
      { label: 'old', value: 'first-secret' },
      { label: 'new', value: 'zweites-Geheimnis-ß' },
    ];
    const { port } = await start({ plane: 'manager', onRequest: [managerAuth(() => secrets)] });
    send = (path, secret, method = 'GET') =>
      request(port, method, path, {
        headers: secret === undefined ? {} : { 'X-BackendAI-Storage-Auth-Token': secret },
      });
  }, 60_000);

  it.each([
    ['missing', undefined],
    ['missing', ''],
    ['invalid', 'wrong'],
    ['invalid', 'first-secret-and-more'],
    ['invalid', 'first'],
  ])('refuses a token that is %s: %s', async (word, secret) => {
    const answer = await send('/volumes', secret);
    expect([answer.status, answer.json['title']]).toEqual([403, `Forbidden (${word} auth token)`]);
  });

  it('tells strangers nothing about paths or methods', async () => {
    expect((await send('/nowhere')).status).toBe(403);
    expect((await send('/volumes', undefined, 'PUT')).status).toBe(403);
    expect((await send('/status', undefined, 'POST')).status).toBe(403);
    expect((await send('/nowhere', 'first-secret')).status).toBe(404);
    expect((await send('/volumes', 'first-secret', 'PUT')).status).toBe(405);
  });

  it('takes any of the secrets, as they are now', async () => {
    expect((await send('/volumes', 'first-secret')).status).toBe(200);
    const bytes = Buffer.from('zweites-Geheimnis-ß').toString('latin1');
    expect((await send('/volumes', bytes)).status).toBe(200);
    secrets.shift();
    expect((await send('/volumes', 'first-secret')).status).toBe(403);
  });

  it('leaves probes open', async () => {
    expect((await send('/status')).status).toBe(200);
  });
});

it('traces what is asked for now and then, and not what is asked for all the time', async () => {
  const { port } = await start({ plane: 'manager' });
  const traced = async (path: string): Promise<unknown> =>
    (await request(port, 'GET', path)).json['traced'];
  expect([await traced('/used-bytes'), await traced('/volumes')]).toEqual([
    'folder.used-bytes',
    null,
  ]);
});

describe('CORS of the client plane', () => {
  const origin = 'https://console.example';
  let send: (
    method: string,
    path: string,
    headers?: RequestOptions['headers'],
  ) => ReturnType<typeof request>;

  beforeEach(async () => {
    const cors = clientCors({
      fixed: ['/upload'],
      reflecting: { '/download': ['GET', 'HEAD'] },
    });
    const { port } = await start({ plane: 'client', onRequest: [cors] });
    send = (method, path, headers) => request(port, method, path, { headers });
  }, 60_000);

  it.each([
    ['PATCH', '/upload', 404],
    ['POST', '/upload?token=x', 201],
    ['DELETE', '/upload', 405],
  ])('sets the fixed headers on %s %s (%d)', async (method, path, status) => {
    const answer = await send(method, path);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': '*',
      'access-control-allow-headers':
        'Tus-Resumable, Upload-Length, Upload-Metadata, Upload-Offset, Content-Type',
    });
  });

  it('reflects the origin and exposes what is on the answer', async () => {
    const answer = await send('GET', '/download', { origin });
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-credentials': 'true',
    });
    const exposed = answer.headers['access-control-expose-headers']!.split(',');
    expect(exposed).toEqual(expect.arrayContaining(['etag', 'accept-ranges', 'x-request-id']));
    expect(exposed).not.toContain('content-type');
  });

  it('does so on answers written beside the framework, and on errors', async () => {
    const head = await send('HEAD', '/download', { origin });
    expect(head.headers['access-control-expose-headers']!.split(',')).toContain('etag');
    const wrong = await send('PUT', '/download', { origin });
    expect([wrong.status, wrong.headers['access-control-allow-origin']]).toEqual([405, origin]);
  });

  it('adds nothing without an origin', async () => {
    const answer = await send('GET', '/download');
    expect(Object.keys(answer.headers).filter((name) => name.startsWith('access'))).toEqual([]);
  });

  it('answers preflights', async () => {
    const answer = await send('OPTIONS', '/download', {
      origin,
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'range, if-range',
    });
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.headers).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-methods': 'GET',
      'access-control-allow-headers': 'RANGE,IF-RANGE',
    });
  });

  it.each([[{}], [{ origin }], [{ origin, 'access-control-request-method': 'PUT' }]] as Record<
    string,
    string
  >[][])('refuses the preflight %o', async (headers) => {
    const answer = await send('OPTIONS', '/download', headers);
    expect(answer.status).toBe(403);
    expect(answer.json['msg']).toMatch(/^CORS preflight request failed:/);
  });
});

describe('draining', () => {
  it('finishes what runs and closes connections', async () => {
    const { plane, port } = await start({ plane: 'client' });
    const agent = new Agent({ keepAlive: true });
    const first = await new Promise<string | undefined>((resolve) =>
      httpRequest({ port, path: '/volumes', agent }, (response) => {
        response.resume();
        response.on('end', () => resolve(response.headers.connection));
      }).end(),
    );
    expect(first).toBe('keep-alive');
    const slow = request(port, 'GET', '/slow');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(plane.drain.active).toBe(1);
    plane.drain.begin();
    await expect(plane.drain.settled(20)).resolves.toBe(false);
    release();
    expect((await slow).headers.connection).toBe('close');
    await expect(plane.drain.settled(1000)).resolves.toBe(true);
    agent.destroy();
  }, 60_000);
});

describe('TLS', () => {
  it('serves with the key and certificate given', async () => {
    const { port } = await start({ plane: 'client', tls: SELF_SIGNED });
    const answer = await request(port, 'GET', '/volumes', { tls: true });
    expect(answer.status).toBe(200);
    expect(answer.headers['strict-transport-security']).toBeDefined();
  }, 60_000);
});
