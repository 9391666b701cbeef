import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isRunning } from '../../../../test/support/processes.js';
import { runTool } from './tool-process.js';

describe('runTool', () => {
  let directory: string;
  let fd: number;
  const never = new AbortController().signal;

  beforeEach(() => {
    directory = fs.mkdtempSync(path.join(os.tmpdir(), 'tool-'));
    fd = fs.openSync(directory, 'r');
  });
  afterEach(() => {
    fs.closeSync(fd);
    fs.rmSync(directory, { recursive: true });
  });

  const run = (script: string, options: { signal?: AbortSignal; stallMs?: number } = {}) =>
    runTool(
      { tool: 'pdu', program: '/bin/sh', args: ['-c', script], directory: fd },
      { signal: never, ...options },
    );
  const output = async (chunks: AsyncIterable<Buffer>): Promise<string> => {
    const all: Buffer[] = [];
    for await (const chunk of chunks) all.push(chunk);
    return Buffer.concat(all).toString();
  };
  /** The process that a script wrote to a file by `echo $$ > pid`, ended. */
  const ended = async (): Promise<void> => {
    const pid = Number(fs.readFileSync(path.join(directory, 'pid'), 'utf8'));
    expect(pid).toBeGreaterThan(1);
    while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  };

  it('gives the output of a program in the directory, without the settings of the proxy', async () => {
    process.env['SECRET_OF_THE_PROXY'] = 'x';
    expect(await output(run('pwd; env'))).toMatch(new RegExp(`^${directory}\\n`));
    expect(await output(run('env'))).not.toContain('SECRET_OF_THE_PROXY');
  });

  it.each([
    ['echo no >&2; echo more >&2; exit 3', 'pdu ended with status 3: no / more'],
    ['kill -9 $$', 'pdu was ended by SIGKILL'],
    ['printf "\\033[31mred" >&2; exit 1', 'pdu ended with status 1: ?[31mred'],
  ])('turns the end of %j into an error', async (script, message) => {
    await expect(output(run(script))).rejects.toThrow(message);
  });

  it('says that there is no such program, or that it has too many arguments', async () => {
    const command = { tool: 'pls', program: '/nowhere/pls', args: [], directory: fd };
    await expect(output(runTool(command, { signal: never }))).rejects.toThrow('ENOENT');
    const much = { ...command, program: '/bin/true', args: ['x'.repeat(200_000)] };
    await expect(output(runTool(much, { signal: never }))).rejects.toThrow('E2BIG');
  });

  it.each([
    ['does nothing', 'echo $$ > pid; exec sleep 1000'],
    ['does nothing behind its output', 'echo $$ > pid; exec >&-; exec sleep 1000'],
  ])('ends a program that %s', async (_, script) => {
    const running = output(run(script, { stallMs: 600 }));
    await expect(running).rejects.toThrow('pdu did nothing for 0.6 s');
    // On a busy machine it may be ended before it has told its number.
    if (fs.existsSync(path.join(directory, 'pid'))) await ended();
  });

  it('ends the program when the signal comes, with its reason', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const chunks = run('echo $$ > pid; echo ready; exec sleep 1000', { signal });
    await chunks.next();
    controller.abort(new Error('never mind'));
    await expect(chunks.next()).rejects.toThrow('never mind');
    await ended();
  });

  it('ends the program when its output is no longer wanted', async () => {
    for await (const _ of run('echo $$ > pid; yes')) break;
    await ended();
  });

  it('does not wait for what a program started in another session', async () => {
    const script =
      '(echo $$ > /dev/null; exec setsid sh -c "echo \\$\\$ > pid; exec sleep 1000") >&- & while [ ! -s pid ]; do sleep 0.02; done; echo done';
    expect(await output(run(script))).toBe('done\n');
    process.kill(Number(fs.readFileSync(path.join(directory, 'pid'), 'utf8')));
    await ended();
  });
});
