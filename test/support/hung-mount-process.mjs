/**
 * Mounts a FUSE filesystem over the directory of its argument and then never answers: whoever touches it
 * hangs, as on a dead NFS server, until this process is killed. Needs root and /dev/fuse.
 */
import fs from 'node:fs';
import koffi from 'koffi';

const [, , directory] = process.argv;
const libc = koffi.load(null);
const mount = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
);

const INIT_REPLY_BYTES = 16 + 64;

const fd = fs.openSync('/dev/fuse', 'r+');
const options = `fd=${fd},rootmode=40000,user_id=0,group_id=0,allow_other`;
if (mount('hung', directory, 'fuse', 0, options) !== 0) {
  process.stderr.write(`mount: errno ${koffi.errno()}\n`);
  process.exit(1);
}

const request = Buffer.alloc(128 * 1024);
fs.readSync(fd, request);
const reply = Buffer.alloc(INIT_REPLY_BYTES);
reply.writeUInt32LE(INIT_REPLY_BYTES, 0);
request.copy(reply, 8, 8, 16); // unique
reply.writeUInt32LE(7, 16); // protocol version 7.31
reply.writeUInt32LE(31, 20);
reply.writeUInt32LE(4096, 36); // max_write
fs.writeSync(fd, reply);

process.stdout.write('hung\n');
setInterval(() => undefined, 60_000);
