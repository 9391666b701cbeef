import { connect, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { Controller, Get, Module, Post, Query } from '@nestjs/common';
import { configureLogging } from '../../observability/logger.js';
import { registry } from '../../observability/metrics.js';
import { Text } from '../dto-decorators.js';
import { managerAuth } from '../manager-auth.js';
import { Operation } from '../operation.decorator.js';
import { createPlaneApp, type PlaneApp, type PlaneOptions } from '../plane-app.js';
import { Parameters } from '../query-or-body.js';
import { send, sendRaw } from '../testing/http-client.js';
import { AuthFailures } from './auth-failures.js';

const doc = { summary: 's', description: 'd' };
let release: () => void = () => undefined;

class NameDto {
  @Text({ description: 'd', example: 'x' })
  name!: string;
}

@Controller()
class TestController {
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

  @Post('folder')
  @Operation('folder.create', doc)
  create(@Parameters() { name }: NameDto): object {
    return { name };
  }

  @Get('download')
  @Operation('download', doc)
  download(@Query() { name }: NameDto): object {
    return { name };
  }
}

@Module({ controllers: [TestController] })
class TestModule {}

const running: PlaneApp[] = [];
const sockets: Socket[] = [];

async function start(options: Partial<PlaneOptions> = {}): Promise<number> {
  const plane = await createPlaneApp(TestModule, { plane: 'manager', ...options });
  running.push(plane);
  await plane.app.listen(0, '127.0.0.1');
  return (plane.app.getHttpServer().address() as AddressInfo).port;
}

async function open(port: number, text = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const metric = async (name: string): Promise<string> =>
  (await registry.metrics()).split('\n').find((line) => line.startsWith(name)) ?? '';

beforeAll(() => configureLogging({ level: 'fatal' }));
beforeEach(() => registry.resetMetrics());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((plane) => plane.app.close()));
}, 20_000);

describe('connections', () => {
  it('that are idle make room for new ones, the longest idle first', async () => {
    const port = await start({ limits: { connections: 3 } });
    const idle = [await open(port), await open(port), await open(port)];
    const closed = once(idle[0]!, 'close');
    expect((await send(port, 'GET', '/status')).status).toBe(200);
    await closed;
    expect(idle.map(({ closed }) => closed)).toEqual([true, false, false]);
    expect(await metric('backendai_storage_limit_reached_total{')).toContain(
      'limit="idle-connections"} 1',
    );
  });

  it('are refused when all are at work, and only then', async () => {
    const port = await start({ limits: { connections: 1 } });
    const busy = send(port, 'GET', '/slow');
    await until(() => release !== noRelease);
    const refused = await send(port, 'GET', '/status');
    expect([refused.status, refused.headers['retry-after'], refused.headers.connection]).toEqual([
      503,
      '5',
      'close',
    ]);
    release();
    expect((await busy).status).toBe(200);
    expect((await send(port, 'GET', '/status')).status).toBe(200);
  });

  it('are cut when one carries too many requests at a time', async () => {
    const port = await start();
    const socket = await open(port, 'GET /slow HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(101));
    await once(socket, 'close');
  });
});

const noRelease = release;
beforeEach(() => (release = noRelease));

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate);
}

describe('slow clients', () => {
  it('are cut off when their headers do not come', async () => {
    const port = await start({ limits: { headerTimeoutMs: 200 } });
    const answer = await sendRaw(port, 'GET /status HTTP/1.1\r\nHost: ');
    expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*x-content-type-options: nosniff[^]*did not arrive/);
    const silent = await open(port);
    // It has said nothing at all, and is owed nothing but the end.
    silent.resume();
    await once(silent, 'close');
  });

  it.each([301, 3600])('may have %i s for their headers', async (seconds) => {
    const port = await start({ limits: { headerTimeoutMs: seconds * 1000 } });
    expect((await send(port, 'GET', '/status')).status).toBe(200);
  });

  it('are cut off when their JSON body does not come', async () => {
    const port = await start({ limits: { jsonBodyTimeoutMs: 100 } });
    const answer = await sendRaw(
      port,
      'POST /folder HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{"name":',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 408 [^]*did not arrive within 0\.1 s/);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
  }, 20_000);
});

describe('headers', () => {
  it('have a limit of their own', async () => {
    const port = await start({ limits: { headerBytes: 64 * 1024 } });
    const path = (length: number) => `/status?${'x'.repeat(length)}`;
    expect((await send(port, 'GET', path(40_000))).status).toBe(200);
    expect((await send(port, 'GET', path(70_000))).status).toBe(431);
  });

  it('for safety are on every answer, also of what is no path', async () => {
    const port = await start();
    for (const line of ['GET *', 'GET /%zz', 'GET /status', 'GET /nowhere', 'BREW /status']) {
      const answer = await sendRaw(
        port,
        `${line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect([line, answer]).toEqual([
        line,
        expect.stringMatching(/x-content-type-options: nosniff/i),
      ]);
      expect([line, answer]).toEqual([line, expect.stringMatching(/content-security-policy: /i)]);
    }
  });
});

describe('Expect: 100-continue', () => {
  const head = (path: string): string =>
    `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\nExpect: 100-continue\r\n`;

  it('invites the body when it is going to be read', async () => {
    const port = await start();
    const socket = await open(port, `${head('/folder')}\r\n`);
    const [invitation] = (await once(socket, 'data')) as [Buffer];
    expect(invitation.toString()).toBe('HTTP/1.1 100 Continue\r\n\r\n');
    socket.write('{"name":"x"}');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 201 /);
  });

  it('refuses before that, and closes: the body may or may not come', async () => {
    const port = await start({ onRequest: [managerAuth(() => [{ label: 'a', value: 'secret' }])] });
    const answer = await sendRaw(port, `${head('/folder')}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 [^]*\r\nconnection: close\r\n/i);
  });

  it('of anything else is passed over', async () => {
    const port = await start();
    const answer = await sendRaw(
      port,
      'GET /status HTTP/1.1\r\nHost: a\r\nExpect: miracles\r\nConnection: close\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('authentication', () => {
  const guess = (port: number, secret: string, from?: string) =>
    send(port, 'GET', '/slow', {
      headers: {
        'X-BackendAI-Storage-Auth-Token': secret,
        ...(from !== undefined && { 'X-Forwarded-For': from }),
      },
    });
  const guarded = (options: Partial<PlaneOptions> = {}): Promise<number> =>
    start({
      ...options,
      onRequest: [
        managerAuth(
          () => [{ label: 'a', value: 'right' }],
          new AuthFailures({ burst: 3, windowMs: 60_000 }),
        ),
      ],
    });

  it('that fails too often is answered 429 from then on, whatever is offered', async () => {
    const port = await guarded();
    const statuses = [];
    for (const secret of ['a', 'b', 'c', 'd', 'right']) {
      statuses.push((await guess(port, secret)).status);
    }
    expect(statuses).toEqual([403, 403, 403, 429, 429]);
    const last = await guess(port, 'e');
    expect(Number(last.headers['retry-after'])).toBeGreaterThan(0);
    expect(last.json['error_code']).toBe('storage-proxy_auth_unavailable');
    expect(await metric('backendai_storage_auth_failures_total')).toMatch(/} 3$/);
  });

  it('of one client does not count for another behind the same trusted proxy', async () => {
    const port = await guarded({ trustedProxies: ['loopback'] });
    for (const secret of ['a', 'b', 'c', 'd']) await guess(port, secret, '10.0.0.1');
    expect((await guess(port, 'x', '10.0.0.1')).status).toBe(429);
    expect((await guess(port, 'x', '10.0.0.2')).status).toBe(403);
  });

  it('of one client counts, whatever it says of forwarding, when nobody trusts it', async () => {
    const port = await guarded();
    for (const n of [1, 2, 3]) await guess(port, 'x', `10.0.0.${n}`);
    expect((await guess(port, 'x', '10.0.0.4')).status).toBe(429);
  });
});

describe('names that objects inherit', () => {
  it.each(['__proto__', 'constructor', 'hasOwnProperty'])('are no parameters: %s', async (name) => {
    const port = await start();
    const answer = await send(port, 'GET', `/download?name=x&${name}=1`);
    expect([answer.status, answer.json['data']]).toEqual([400, { [name]: expect.any(String) }]);
  });
});
