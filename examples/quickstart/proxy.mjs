/** The few calls of both planes that the quick start makes, with nothing but fetch and tus-js-client. */
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { Upload } from 'tus-js-client';

export const manager = process.env.MANAGER ?? 'http://127.0.0.1:6022';
export const client = process.env.CLIENT ?? 'http://127.0.0.1:6021';
const secret = readFileSync(process.env.SECRET_FILE ?? 'var/manager-secret', 'utf8').trim();

/** One manager-plane call; the parsed answer, or an error that carries the problem's own words. */
export async function call(method, path, parameters) {
  const query = method === 'GET' ? `?${new URLSearchParams(parameters)}` : '';
  const answer = await fetch(manager + path + query, {
    method,
    headers: { 'X-BackendAI-Storage-Auth-Token': secret, 'Content-Type': 'application/json' },
    ...(query ? {} : { body: JSON.stringify(parameters) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

/** Uploads a file with tus; with `breakAt` bytes, the connection is cut there once and the upload resumed. */
export async function upload(folder, relpath, file, { breakAt } = {}) {
  const size = statSync(file).size;
  const { token } = await call('POST', '/folder/file/upload', { ...folder, relpath, size });
  if (size === 0) return;
  const uploadUrl = `${client}/upload?token=${token}`;
  if (breakAt) await send(uploadUrl, file, size, breakAt);
  await send(uploadUrl, file, size);
}

function send(uploadUrl, file, size, breakAt = Infinity) {
  return new Promise((resolve, reject) => {
    const upload = new Upload(createReadStream(file), {
      uploadUrl,
      uploadSize: size,
      chunkSize: 16 * 2 ** 20,
      retryDelays: [100, 500, 1000],
      onError: reject,
      onSuccess: resolve,
      onProgress: (sent) => {
        if (sent < breakAt) return;
        breakAt = Infinity;
        upload.abort().then(resolve, reject);
      },
    });
    upload.start();
  });
}

export async function download(folder, relpath, headers = {}, query = '') {
  const { token } = await call('POST', '/folder/file/download', { ...folder, relpath });
  const answer = await fetch(`${client}/download?token=${token}${query}`, { headers });
  if (!answer.ok) throw new Error(`download ${relpath}: ${answer.status} ${await answer.text()}`);
  return answer;
}
