import { Channel, type Port } from './channel.js';

interface Left {
  notices: { greeting: string };
  questions: { double: { ask: number; answer: number } };
}
interface Right {
  notices: { reply: string };
  questions: { fail: { ask: null; answer: never } };
}

/** Two ends of a pipe that delivers in order and asynchronously, as IPC does. */
function pipe(): { left: Port; right: Port; cut: () => void } {
  const handlers: { left?: (message: unknown) => void; right?: (message: unknown) => void } = {};
  let open = true;
  const end = (self: 'left' | 'right', other: 'left' | 'right'): Port => ({
    send: (message) => {
      if (open) setImmediate(() => handlers[other]?.(structuredClone(message)));
      return open;
    },
    receive: (handler) => {
      handlers[self] = handler;
    },
  });
  return { left: end('left', 'right'), right: end('right', 'left'), cut: () => (open = false) };
}

describe('Channel', () => {
  it('delivers notices to the handler of their name', async () => {
    const { left, right } = pipe();
    const greetings: string[] = [];
    new Channel<Right, Left>(right).onNotice('greeting', (text) => greetings.push(text));
    const channel = new Channel<Left, Right>(left);
    channel.tell('greeting', 'a');
    channel.tell('greeting', 'b');
    await new Promise(setImmediate);
    expect(greetings).toEqual(['a', 'b']);
  });

  it('pairs answers with questions, also when they come out of order', async () => {
    const { left, right } = pipe();
    const delays = [20, 0];
    new Channel<Right, Left>(right).onQuestion('double', async (value) => {
      await new Promise((resolve) => setTimeout(resolve, delays[value - 1]));
      return value * 2;
    });
    const channel = new Channel<Left, Right>(left);
    const answers = await Promise.all([
      channel.ask('double', 1, 1_000),
      channel.ask('double', 2, 1_000),
    ]);
    expect(answers).toEqual([2, 4]);
  });

  it('rejects with what the other side threw', async () => {
    const { left, right } = pipe();
    new Channel<Left, Right>(left).onQuestion('fail', () => {
      throw new Error('not today');
    });
    const channel = new Channel<Right, Left>(right);
    await expect(channel.ask('fail', null, 1_000)).rejects.toThrow('not today');
  });

  it('rejects a question that nobody handles', async () => {
    const { left, right } = pipe();
    const silent = new Channel<Left, Right>(left);
    const channel = new Channel<Right, Left>(right);
    expect(silent.tell('greeting', 'hello')).toBe(true);
    await expect(channel.ask('fail', null, 1_000)).rejects.toThrow('nobody answers "fail"');
  });

  it('gives up after the deadline', async () => {
    const { left } = pipe();
    const channel = new Channel<Left, Right>(left);
    await expect(channel.ask('double', 1, 10)).rejects.toThrow('no answer within 10 ms');
  });

  it('tells at once that the other side is gone', async () => {
    const { left, cut } = pipe();
    const channel = new Channel<Left, Right>(left);
    cut();
    expect(channel.tell('greeting', 'a')).toBe(false);
    await expect(channel.ask('double', 1, 10_000)).rejects.toThrow('gone');
  });
});
