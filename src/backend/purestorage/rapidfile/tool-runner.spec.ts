import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ToolRunner } from './tool-runner.js';

const LAUNCHER = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'launcher-')), 'main.cjs');

// The launcher's file belongs to the built product; here a program that works on a tree until it is ended.
jest.mock('./confined-main-url.js', () => ({
  get CONFINED_MAIN_URL() {
    return pathToFileURL(LAUNCHER);
  },
}));

describe('ToolRunner', () => {
  let fd: number;
  let runner: ToolRunner;
  beforeAll(() => {
    fs.writeFileSync(LAUNCHER, "console.log('begun'); setInterval(() => undefined, 1 << 30);");
    fd = fs.openSync('/', 'r');
  });
  afterEach(() => runner.close(60_000, new Error('over')));
  afterAll(() => {
    fs.closeSync(fd);
    fs.rmSync(path.dirname(LAUNCHER), { recursive: true });
  });

  const all = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
    let text = '';
    for await (const chunk of chunks) text += chunk.toString();
    return text;
  };

  it('lists although all programs that work on trees are busy, and ends them when it is closed', async () => {
    runner = new ToolRunner({ processes: 1, confinement: null });
    const tree = { tool: 'prm', program: '/bin/true', args: [], directory: fd, trees: [] };
    const busy = runner.walk(tree);
    expect((await busy.next()).value?.toString()).toBe('begun\n');
    const waiting = all(runner.walk(tree));
    const look = { tool: 'pls', program: '/bin/echo', args: ['listed'], directory: fd };
    expect(await all(runner.look(look))).toBe('listed\n');

    const ends = Promise.allSettled([busy.next(), waiting]);
    const bye = new Error('bye');
    await runner.close(60_000, bye);
    expect(await ends).toEqual([
      { status: 'rejected', reason: bye },
      { status: 'rejected', reason: bye },
    ]);
  });
});
