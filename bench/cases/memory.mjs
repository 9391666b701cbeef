import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { step } from '../lib/load.mjs';
import { StorageProxy } from '../lib/ours.mjs';
import { writeNoise } from './downloads.mjs';

export const name = 'memory';
export const title = 'Memory of 500 slow and 100 busy transfers';

const MIB = 2 ** 20;
const SLOW = 500;
const BUSY = 100;

/** Slow clients take an answer's beginning and then no more; busy ones repeat downloads meanwhile. */
export async function run({ directory, load, scale }) {
  const proxy = await StorageProxy.start(directory, {
    settings: { limits: { 'transfers-per-volume': 1000 } },
  });
  try {
    const folder = await proxy.createFolder();
    writeNoise(join(folder.path, 'file.bin'), 64 * MIB);
    const path = () => proxy.downloadPath(folder, 'file.bin');
    const list = Array.from({ length: BUSY }, path);
    const steps = [step({ port: proxy.client, path: '{l}' })];
    // What is allocated once and for all is no transfer's.
    await load.run({ connections: 4, iterations: 20, list, steps });
    await sleep(1000);
    const idle = proxy.process.residentMib();
    proxy.process.resetPeak();
    const sockets = Array.from({ length: SLOW }, () => slowClient(proxy.client, path()));
    await Promise.all(sockets.map(({ begun }) => begun));
    await load.run({ connections: BUSY, seconds: Math.max(1, 5 * scale), list, steps });
    const peak = proxy.process.peakMib();
    for (const { socket } of sockets) socket.destroy();
    const row = (label, value, verdict = '') => ({
      work: `${SLOW} slow and ${BUSY} busy downloads`,
      name: label,
      unit: 'MiB',
      median: value,
      min: value,
      max: value,
      verdict,
    });
    const above = peak - idle;
    return [
      row('resident before', idle),
      row('highest during', peak),
      row('above', above, above <= 100 ? 'met (≤ 100)' : 'missed (≤ 100)'),
    ];
  } finally {
    await proxy.stop();
  }
}

function slowClient(port, path) {
  const socket = connect(port, '127.0.0.1');
  const begun = new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('data', () => {
      socket.pause();
      resolve();
    });
  });
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`);
  return { socket, begun };
}
