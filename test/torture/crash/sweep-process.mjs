/**
 * Sweeps the uploads of a vfolder as it will be done when all of them are past their age, so that nobody has to wait
 * for that. Argument: the path of the vfolder. Prints what is left of `.upload`.
 */
import { existsSync, readdirSync, lstatSync } from 'node:fs';
import { join } from 'node:path';
import { Beneath } from '../../../dist/native/beneath.js';
import { sweepUploads } from '../../../dist/volume/uploads/sweep-uploads.js';

const [, , path] = process.argv;
const uploads = join(path, '.upload');
const NS_PER_MS = 1_000_000n;

const entries = existsSync(uploads) ? readdirSync(uploads).map(entryOf) : [];
const vfolder = await Beneath.open(path);
const later = Date.now() + 1000;
await sweepUploads(vfolder, entries, { stagedBeforeMs: later, finishedBeforeMs: later });
vfolder.close();
process.stdout.write(JSON.stringify(existsSync(uploads) ? readdirSync(uploads) : []));

function entryOf(name) {
  const { mtimeMs, ctimeMs } = lstatSync(join(uploads, name));
  return {
    name: Buffer.from(name),
    mtimeNs: BigInt(Math.floor(mtimeMs)) * NS_PER_MS,
    ctimeNs: BigInt(Math.floor(ctimeMs)) * NS_PER_MS,
  };
}
