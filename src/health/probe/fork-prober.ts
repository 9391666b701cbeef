import { fork, type ChildProcess } from 'node:child_process';
import type { ProbeFindings } from './probe-volume.js';
import type { Prober, ProberEvents, StartProber } from './volume-watch.js';
import type { ProbeOrder } from './prober.js';

export interface ProberIdentity {
  /** Undefined: as the starting process. */
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

/** It allocates next to nothing; a small heap without helper threads keeps many volumes cheap. */
const NODE_OPTIONS = ['--max-old-space-size=32', '--max-semi-space-size=1', '--v8-pool-size=0'];

/** Starts probers as processes from `entry`, the compiled `prober.js`. */
export function proberForker(entry: string, identity: ProberIdentity): StartProber {
  return (order, events) => {
    const child = fork(entry, [], {
      execArgv: NODE_OPTIONS,
      // Nothing of the environment: it may hold secrets.
      env: {},
      cwd: '/',
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      ...(identity.uid === undefined ? {} : { uid: identity.uid }),
      ...(identity.gid === undefined ? {} : { gid: identity.gid }),
    });
    return attach(child, order, events);
  };
}

function attach(child: ChildProcess, order: ProbeOrder, events: ProberEvents): Prober {
  child.on('message', (findings: ProbeFindings) => events.found(findings));
  child.once('error', (error) => {
    // No process, so no exit either.
    if (child.pid === undefined) events.ended(error.message);
  });
  child.once('exit', (code, signal) => events.ended(signal ?? `exit code ${code}`));
  child.send(order, () => undefined);
  return {
    stop() {
      child.removeAllListeners('exit');
      child.kill('SIGKILL');
      // A hung one stays behind until its system call returns; it must not keep the primary.
      child.unref();
      if (child.connected) child.disconnect();
    },
  };
}
