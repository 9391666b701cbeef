import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { DescriptorLedger } from '../../native/descriptor-ledger.js';
import type { ToWorker, TreeVolume } from './tree-protocol.js';
import { TreeScheduler } from './tree-scheduler.js';
import { begin, treeVolume } from './tree-walks.js';

/**
 * Entry of a tree worker thread. It belongs to one volume and makes blocking system calls: a volume that
 * hangs stops this thread and nothing else. It has no state but its running walks.
 */
const given = workerData as {
  readonly volume: TreeVolume;
  readonly descriptors: SharedArrayBuffer;
};
const volume = treeVolume(given.volume);
new DescriptorLedger(given.descriptors).record();
const port = parentPort!;
let running = false;

const scheduler = new TreeScheduler(
  (order, pace) => begin(volume, order, pace),
  (message) =>
    port.postMessage(
      message,
      message.type === 'batch' ? [message.batch.buffer as ArrayBuffer] : [],
    ),
);

async function run(): Promise<void> {
  running = true;
  // Between two rounds the messages that have come are read.
  while (scheduler.turn()) await nextTurn();
  running = false;
}

port.on('message', (message: ToWorker) => {
  if (message.type === 'end') {
    port.close();
    return;
  }
  scheduler.receive(message);
  if (!running) void run();
});
