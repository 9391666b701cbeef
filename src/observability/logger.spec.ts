import { Logger } from '@nestjs/common';
import { configureLogging, loggerFor, setLogLevel } from './logger.js';
import { NestLogger } from './nest-logger.js';
import { traceRequest, tracedRequest } from './request-context.js';

const lines: string[] = [];
const destination = { write: (line: string) => void lines.push(line) };
const last = () => JSON.parse(lines.at(-1)!) as Record<string, unknown>;
const early = loggerFor('early');

beforeEach(() => {
  lines.length = 0;
  configureLogging({ level: 'info', destination, base: { worker: 2 } });
});

describe('logging', () => {
  it('writes one JSON object a line, with the component and what every line has', () => {
    early.info('Volume opened', { volume: 'local' });
    expect(lines).toHaveLength(1);
    expect(last()).toMatchObject({
      level: 'info',
      component: 'early',
      worker: 2,
      volume: 'local',
      msg: 'Volume opened',
    });
  });

  it('names the traced request a line belongs to, until the last of them has ended', async () => {
    const context = (requestId: string) => ({ requestId, plane: 'client', peer: '::1' });
    let goOn = (): void => undefined;
    const turn = new Promise<void>((resolve) => (goOn = resolve));
    const seen: (string | undefined)[] = [];
    const work = async (): Promise<void> => {
      early.warn('Slow');
      await turn;
      seen.push(tracedRequest()?.requestId);
    };
    const running: Promise<void>[] = [];
    const ends = ['r1', 'r2'].map((id) => traceRequest(context(id), () => running.push(work())));
    expect(last()).toMatchObject({ request_id: 'r2', plane: 'client' });
    ends[1]!();
    goOn();
    await Promise.all(running);
    expect(seen).toEqual(['r1', 'r2']);
    let untraced = false;
    traceRequest(context('r3'), () => (untraced = tracedRequest() === undefined))();
    expect(untraced).toBe(false);
    ends[0]!();
    early.warn('Later');
    expect(last()).not.toHaveProperty('request_id');
  });

  it('follows a change of level, in loggers handed out before', () => {
    early.debug('unseen');
    setLogLevel('debug');
    early.debug('seen');
    expect(lines).toHaveLength(1);
  });

  it('lets no credential through, wherever it strayed to', () => {
    const token = 'eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln';
    early.error(`failed for ${token}`, {
      err: new Error(`GET /download?token=${token}`),
      headers: { 'x-backendai-storage-auth-token': 'hush hush', cookie: 'a=b' },
    });
    expect(lines.join('')).not.toMatch(/eyJ|hush|a=b/);
    expect(last()['headers']).toEqual({
      'x-backendai-storage-auth-token': '[redacted]',
      cookie: '[redacted]',
    });
  });

  it('is readable when pretty', () => {
    const pretty: string[] = [];
    configureLogging({
      level: 'info',
      format: 'pretty',
      destination: { write: (line: string) => void pretty.push(line) },
    });
    early.info('Volume opened', { url: '/u?token=abc' });
    expect(pretty.join('')).toMatch(/INFO.*Volume opened[^]*token=\[redacted\]/);
  });
});

describe('the logger of Nest', () => {
  it('goes the same way, under its own component', () => {
    Logger.overrideLogger(new NestLogger());
    new Logger('Uploads').warn('Slow disk');
    expect(last()).toMatchObject({ level: 'warn', component: 'Uploads', msg: 'Slow disk' });
    new Logger('Uploads').error(new Error('broken'));
    expect(last()).toMatchObject({ level: 'error', err: { message: 'broken' } });
    new Logger('Uploads').error('broken', 'Error: at x');
    expect(last()).toMatchObject({ stack: 'Error: at x', component: 'Uploads' });
  });

  it('keeps the framework chatter for debugging', () => {
    new NestLogger().log('Mapped {/x, GET} route', 'RouterExplorer');
    expect(lines).toHaveLength(0);
  });
});
