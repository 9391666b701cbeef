/** `@tus/server` with its own FileStore, as its README has it. */
import { createServer } from 'node:http';
import { FileStore } from '@tus/file-store';
import { Server } from '@tus/server';

const [, , port, directory] = process.argv;
const tus = new Server({ path: '/files', datastore: new FileStore({ directory }) });

createServer((request, response) => {
  void tus.handle(request, response);
}).listen(Number(port), '127.0.0.1');
