import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const TICKS_PER_SECOND = 100;
const KIB_PER_MIB = 1024;

/** Free TCP ports of the loopback interface. */
export async function freePorts(count) {
  const servers = [];
  for (let index = 0; index < count; index++) {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  for (const server of servers) server.close();
  return ports;
}

/** A server under test: one process and whatever it forks. */
export class ServerProcess {
  #child;
  #logFile;

  /** What the server prints goes to `logFile`, as a service manager would have it. */
  constructor(command, args, { env = {}, logFile }) {
    const log = openSync(logFile, 'w');
    this.#logFile = logFile;
    this.#child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
  }

  get pid() {
    return this.#child.pid;
  }

  get output() {
    return readFileSync(this.#logFile, 'utf8').slice(0, 10_000);
  }

  /** Resolves when something listens on `port`, or `holds` says so. */
  async ready(port, holds = () => canConnect(port)) {
    for (let attempt = 0; attempt < 1200; attempt++) {
      if (this.#child.exitCode !== null) throw new Error(`the server ended:\n${this.output}`);
      if (await holds()) return this;
      await sleep(50);
    }
    throw new Error(`the server does not answer on port ${port}:\n${this.output}`);
  }

  /** CPU seconds, user and system, that the whole tree has used so far. */
  cpuSeconds() {
    return treeOf(this.pid).reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  }

  /** From now on `peakMib` counts anew. */
  resetPeak() {
    for (const pid of treeOf(this.pid)) {
      // 5: reset the high-water mark (proc_pid_clear_refs(5)).
      tryTo(() => writeFileSync(`/proc/${pid}/clear_refs`, '5'));
    }
  }

  /** Sum of the resident high-water marks of the tree; pages that processes share count for each. */
  peakMib() {
    return treeOf(this.pid).reduce((sum, pid) => sum + statusMib(pid, 'VmHWM'), 0);
  }

  residentMib() {
    return treeOf(this.pid).reduce((sum, pid) => sum + statusMib(pid, 'VmRSS'), 0);
  }

  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  }
}

/** Runs a command to its end: seconds by the clock and of CPU, as the shell's `time` has them. */
export async function timed(command, args, { input } = {}) {
  const script = 'TIMEFORMAT="%3R %3U %3S"; time "$@" >/dev/null 2>/dev/null';
  const child = spawn('bash', ['-c', script, 'bash', command, ...args], {
    stdio: [input ?? 'ignore', 'ignore', 'pipe'],
  });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part) => (text += part));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${text}`);
  const [seconds = 0, user = 0, system = 0] = text.trim().split(/\s+/).map(Number);
  return { seconds, cpuSeconds: user + system };
}

export function canConnect(port) {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => (socket.destroy(), resolve(true)));
    socket.once('error', () => resolve(false));
  });
}

/** `pid` and all that descend from it. */
function treeOf(pid) {
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = tryTo(() => Number(statOf(name)[1]));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const tree = [pid];
  for (const member of tree) tree.push(...(children.get(member) ?? []));
  return tree;
}

/** Fields of /proc/PID/stat from the state on; the name before may hold anything. */
function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function cpuSecondsOf(pid) {
  const fields = tryTo(() => statOf(pid)) ?? [];
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_SECOND;
}

function statusMib(pid, key) {
  const text = tryTo(() => readFileSync(`/proc/${pid}/status`, 'latin1')) ?? '';
  const [, kib = '0'] = new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(text) ?? [];
  return Number(kib) / KIB_PER_MIB;
}

/** Processes come and go while they are looked at. */
function tryTo(work) {
  try {
    return work();
  } catch {
    return undefined;
  }
}
