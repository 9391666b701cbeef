import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { answerClientError } from './client-error.js';

describe('answerClientError', () => {
  it('lets go of a client that reads the answer and never closes its side', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    const server = createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
    try {
      await once(server, 'listening');
      const accepted = once(server, 'connection') as Promise<[Socket]>;
      const { port } = server.address() as AddressInfo;
      const client = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const [socket] = await accepted;
      const closed = once(socket, 'close');
      const answer = client.setEncoding('latin1').toArray();
      answerClientError(new Error('Parse Error'), socket);
      expect((await answer).join('')).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
      expect(socket.destroyed).toBe(false);

      jest.advanceTimersByTime(5_000);

      await closed;
      client.destroy();
    } finally {
      jest.useRealTimers();
      server.close();
    }
  });
});
