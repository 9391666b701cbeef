import { pino } from 'pino';
import { GatheredLines } from './gathered-lines.js';

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('GatheredLines', () => {
  let writes: string[];
  let lines: GatheredLines;
  let logger: ReturnType<typeof pino>;
  const written = () =>
    writes.map((text) =>
      text
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { msg: string }).msg),
    );

  beforeEach(() => {
    writes = [];
    lines = new GatheredLines({ write: (text) => void writes.push(text) });
    logger = pino({}, lines);
  });

  it('writes the lines of a turn together when it ends', async () => {
    for (const message of ['a', 'b', 'c']) logger.info(message);
    expect(writes).toEqual([]);
    await turn();
    expect(written()).toEqual([['a', 'b', 'c']]);
    logger.info('d');
    await turn();
    expect(written()).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it.each(['warn', 'error', 'fatal'] as const)('lets nothing wait behind a line of %s', (level) => {
    logger.info('before');
    logger[level]('grave');
    expect(written()).toEqual([['before', 'grave']]);
  });

  it('does not gather without end', () => {
    logger.info('x'.repeat(70_000));
    expect(writes).toHaveLength(1);
  });

  it('writes what waits when asked, once', async () => {
    logger.info('last words');
    lines.flushSync();
    lines.flushSync();
    await turn();
    expect(written()).toEqual([['last words']]);
  });
});
