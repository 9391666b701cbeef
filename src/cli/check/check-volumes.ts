import { fork } from 'node:child_process';
import { formatKeyPath } from '../../grammar/section/key-path.js';
import { settingsToJson, type Settings } from '../../config/settings.js';
import type { AgentAccess } from '../agent/agent-access.js';
import type { Identity } from '../primary/identity.js';

/** For starting a process and opening volumes that answer. */
const OVERHEAD_MS = 10_000;

/** What the checking process is told. */
export interface VolumeCheckOrder {
  /** From `settingsToJson`. */
  readonly settings: string;
  readonly agent: AgentAccess;
}

/** What the checking process says of one volume; `problem` is null for a good one. */
export interface VolumeFinding {
  readonly volume: string;
  readonly problem: string | null;
}

/**
 * Opens each volume through its backend and writes a small file on it, in a process of its own: as the user
 * that the workers run as, and free to hang. Returns a line for each volume that could not be used.
 */
export function checkVolumes(
  settings: Settings,
  identity: Identity,
  { entry, agent }: { readonly entry: string; readonly agent: AgentAccess },
): Promise<string[]> {
  const findings = new Map<string, string | null>();
  for (const { name } of settings.volumes) findings.set(name, 'did not answer');
  const child = fork(entry, [], {
    cwd: '/',
    env: {},
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    ...(identity.uid === undefined ? {} : { uid: identity.uid }),
    ...(identity.gid === undefined ? {} : { gid: identity.gid }),
  });
  const { operationTimeoutMs } = settings.limits;
  const deadlineMs = operationTimeoutMs + settings.health.probeTimeoutMs + OVERHEAD_MS;
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      // Stuck in a system call it may outlive the signal; it must not keep us.
      child.unref();
      if (child.connected) child.disconnect();
      resolve(problemLines(findings));
    };
    const timer = setTimeout(end, deadlineMs);
    child.on('message', ({ volume, problem }: VolumeFinding) => findings.set(volume, problem));
    child.once('exit', end);
    child.once('error', end);
    const order: VolumeCheckOrder = { settings: settingsToJson(settings), agent };
    child.send(order, () => undefined);
  });
}

function problemLines(findings: ReadonlyMap<string, string | null>): string[] {
  return [...findings].flatMap(([volume, problem]) =>
    problem === null ? [] : [`${formatKeyPath(['volume', volume])}: ${problem}`],
  );
}
