import type { ChildProcess } from 'node:child_process';
import type { Worker } from 'node:cluster';
import type { Port } from './channel.js';

/** A worker, seen from the primary. */
export function portOfWorker(worker: Worker): Port {
  return {
    send: (message) => {
      if (!worker.isConnected()) return false;
      // A worker that dies meanwhile is noticed by its exit.
      worker.send(message as object, () => undefined);
      return true;
    },
    receive: (handler) => {
      worker.on('message', handler);
    },
  };
}

/** A process made by fork(), seen from the one that made it. */
export function portOfChild(child: ChildProcess): Port {
  return {
    send: (message) => {
      if (!child.connected) return false;
      child.send(message as object, () => undefined);
      return true;
    },
    receive: (handler) => {
      child.on('message', handler);
    },
  };
}

/** The primary, seen from a worker. */
export function portOfPrimary(process: NodeJS.Process): Port {
  return {
    send: (message) => {
      if (!process.connected || !process.send) return false;
      process.send(message, undefined, undefined, () => undefined);
      return true;
    },
    receive: (handler) => {
      process.on('message', handler);
    },
  };
}
