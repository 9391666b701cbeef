import { once } from 'node:events';
import { connect, type AddressInfo } from 'node:net';
import { Controller, Get, Module, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { configureLogging } from '../observability/logger.js';
import { Operation } from './operation.decorator.js';
import { createPlaneApp, type PlaneApp } from './plane-app.js';

const doc = { summary: 's', description: 'd' };
const held: (() => void)[] = [];

@Controller()
class TestController {
  @Get('slow')
  @Operation('folder.usage', doc)
  async slow(): Promise<object> {
    await new Promise<void>((resolve) => held.push(resolve));
    return {};
  }

  /** As downloads are sent. */
  @Get('hijacked')
  @Operation('download', doc)
  async hijacked(@Res() reply: FastifyReply): Promise<void> {
    reply.hijack();
    await new Promise<void>((resolve) => held.push(resolve));
    reply.raw.writeHead(200, { 'content-length': 2 });
    reply.raw.end('ok');
  }
}

@Module({ controllers: [TestController] })
class TestModule {}

let plane: PlaneApp;
beforeAll(() => configureLogging({ level: 'fatal' }));
beforeEach(async () => {
  held.length = 0;
  plane = await createPlaneApp(TestModule, { plane: 'client' });
  await plane.app.listen(0, '127.0.0.1');
});
afterEach(() => plane.app.close(), 20_000);

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('draining', () => {
  it.each(['/slow', '/hijacked'])(
    'comes to its end with pipelined requests for %s',
    async (path) => {
      const { port } = plane.app.getHttpServer().address() as AddressInfo;
      const socket = connect(port, '127.0.0.1').resume();
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`.repeat(3));
      await until(() => held.length === 3);
      expect(plane.drain.active).toBe(3);
      plane.drain.begin();
      const settled = plane.drain.settled(15_000);
      for (const release of held.toReversed()) release();
      await once(socket, 'close');
      await expect(settled).resolves.toBe(true);
      expect(plane.drain.active).toBe(0);
    },
  );

  it('comes to its end when a client that pipelined closes its half, and is gone by the answer', async () => {
    const { port } = plane.app.getHttpServer().address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').resume();
    socket.write('GET /hijacked HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3));
    await until(() => held.length === 3);
    plane.drain.begin();
    const settled = plane.drain.settled(15_000);
    socket.destroy();
    await once(socket, 'close');
    for (const release of held) release();
    await expect(settled).resolves.toBe(true);
  });

  it('comes to its end when the connection of pipelined requests breaks', async () => {
    const { port } = plane.app.getHttpServer().address() as AddressInfo;
    const socket = connect(port, '127.0.0.1').resume();
    socket.write('GET /hijacked HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3));
    await until(() => held.length === 3);
    plane.drain.begin();
    const settled = plane.drain.settled(15_000);
    socket.resetAndDestroy();
    await expect(settled).resolves.toBe(true);
    for (const release of held) release();
  });
});
