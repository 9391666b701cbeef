/**
 * Preloaded into a server (`node --import`): it believes that it syncs, as one that forgot to would. The power-loss test
 * has to find that out.
 */
import fs from 'node:fs';

fs.fdatasync = fs.fsync = (_fd, done) => process.nextTick(done, null);
fs.fdatasyncSync = fs.fsyncSync = () => undefined;
