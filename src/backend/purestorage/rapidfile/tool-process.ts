import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { watchForStall } from './stall-watch.js';
import { ToolError } from './tool-error.js';

/** Kept of what a program says on standard error: its end, where the reason is. */
const STDERR_BYTES = 4096;
const STDERR_SHOWN = 300;
/** A process that is killed while its file server hangs ends when the kernel lets it; nobody waits longer. */
const END_WAIT_MS = 2_000;
const STALL_MS = 60_000;

export interface ToolCommand {
  /** Name for messages, `pdu`. */
  readonly tool: string;
  /** Absolute path. */
  readonly program: string;
  readonly args: readonly string[];
  /** Directory that the program works in: a descriptor, so that no name on the way can be swapped. */
  readonly directory: number;
  /** The program's descriptors 3, 4 and so on. */
  readonly descriptors?: readonly number[];
}

export interface ToolRunOptions {
  readonly signal: AbortSignal;
  readonly stallMs?: number;
}

/**
 * Runs a program in a process group of its own and hands out its standard output as it comes; the program waits while
 * nobody asks for more. Ends it, with all that it started, when the loop is left or the signal comes.
 *
 * Throws ToolError when it could not be started, ends otherwise than with status 0, or does nothing for a minute; the
 * signal's reason when that came.
 */
export async function* runTool(
  command: ToolCommand,
  { signal, stallMs = STALL_MS }: ToolRunOptions,
): AsyncGenerator<Buffer, void> {
  signal.throwIfAborted();
  const child = start(command);
  const stderr = keepEnd(child);
  const ended = endOf(child);
  // What it started does not outlive it, nor keep its output open; what left the group is not waited for.
  child.once('exit', () => {
    killGroup(child);
    setTimeout(() => child.stderr?.destroy(), END_WAIT_MS).unref();
  });
  let stalled = false;
  let giveUp = (): void => undefined;
  const givenUp = new Promise<string>((resolve) => (giveUp = () => resolve('does not end')));
  const abandon = (): void => {
    killGroup(child);
    child.stdout?.destroy();
    child.stderr?.destroy();
    giveUp();
  };
  const unwatch = watchForStall(child.pid ?? 0, stallMs, () => {
    stalled = true;
    abandon();
  });
  signal.addEventListener('abort', abandon, { once: true });
  const failure = (how: string): Error => {
    if (signal.aborted) return signal.reason as Error;
    if (stalled) return new ToolError(`${command.tool} did nothing for ${stallMs / 1000} s`);
    return new ToolError(`${command.tool} ${how}${stderr()}`);
  };
  try {
    try {
      for await (const chunk of child.stdout!) yield chunk as Buffer;
    } catch {
      throw failure('broke off');
    }
    const how = await Promise.race([ended, givenUp]);
    if (how !== undefined || signal.aborted || stalled) throw failure(how ?? 'broke off');
  } finally {
    signal.removeEventListener('abort', abandon);
    unwatch();
    if (child.exitCode === null && child.signalCode === null) abandon();
    child.stderr?.destroy();
    await atMost(END_WAIT_MS, ended);
  }
}

function start({ tool, program, args, directory, descriptors = [] }: ToolCommand): ChildProcess {
  const child = spawnOrThrow(tool, program, args, {
    // The child still has the descriptor when it goes there: it is closed only by exec.
    cwd: `/proc/self/fd/${directory}`,
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
    detached: true,
    env: environment(),
  });
  child.stdout?.on('error', () => undefined);
  return child;
}

/** Some failures come at once instead of as an event: too many arguments (E2BIG), for one. */
function spawnOrThrow(
  tool: string,
  program: string,
  args: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  try {
    return spawn(program, args, options);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ToolError(`${tool} could not be started (${code ?? String(error)})`);
  }
}

/** Settings and secrets of this process are none of the program's business; C keeps messages and sorting the same everywhere. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME } = process.env;
  return { ...(PATH !== undefined && { PATH }), ...(HOME !== undefined && { HOME }), LC_ALL: 'C' };
}

/** How it ended, as a clause; undefined when well. Never rejects. */
function endOf(child: ChildProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    child.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(`could not be started (${code ?? 'unknown'})`),
    );
    child.once('close', (code, signal) => {
      if (signal !== null) resolve(`was ended by ${signal}`);
      else resolve(code === 0 ? undefined : `ended with status ${code}`);
    });
  });
}

function keepEnd(child: ChildProcess): () => string {
  let end = Buffer.alloc(0);
  child.stderr?.on('error', () => undefined);
  child.stderr?.on('data', (chunk: Buffer) => {
    end = Buffer.concat([end, chunk]).subarray(-STDERR_BYTES);
  });
  return () => {
    const text = end
      .toString('utf8')
      .replace(/[^\P{Cc}\n]/gu, '?')
      .trim()
      .replace(/\s*\n\s*/g, ' / ');
    return text === '' ? '' : `: ${text.slice(-STDERR_SHOWN)}`;
  };
}

/** The whole group: a program may have started others. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}

async function atMost(ms: number, promise: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
