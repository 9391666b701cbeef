import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { call, client, download, manager, upload } from './proxy.mjs';

const CONCURRENCY = 8;
const MIB = 2 ** 20;
const DEFAULT_TREES = [
  'typescript',
  'class-validator',
  'prettier',
  'playwright-core',
  'swagger-ui-dist',
  '@swc',
  '@oxlint',
  '@oxlint-tsgolint',
].map((name) => path.join('node_modules', name));

const trees = process.argv.length > 2 ? process.argv.slice(2) : DEFAULT_TREES;
const scratch = mkdtempSync(path.join(tmpdir(), 'quickstart-'));
const volume = process.env.VOLUME ?? 'local';
const scope = `project:${randomUUID()}`;
const folder = { volume, vfid: `${scope}/${randomUUID()}` };
const copy = { volume, vfid: `${scope}/${randomUUID()}` };

try {
  await main();
} catch (error) {
  const unreachable = error.cause?.code === 'ECONNREFUSED';
  process.stderr.write(
    `quickstart: ${unreachable ? `nobody serves at ${manager}: run \`npm start\` first` : error.stack}\n`,
  );
  process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true });
}

async function main() {
  say(`manager plane ${manager}, client plane ${client}`);
  const files = trees.flatMap((tree) => filesBelow(tree));
  for (const file of files) file.sha256 = await sha256(file.source);
  const total = files.reduce((sum, file) => sum + file.size, 0);

  await step('create a quota scope and a folder in it', async () => {
    await call('POST', '/quota-scope', { volume, qsid: scope });
    await call('POST', '/folder/create', folder);
  });

  const directories = [...new Set(files.map((file) => path.dirname(file.relpath)))];
  await step(`make ${directories.length} directories`, async () => {
    for (let at = 0; at < directories.length; at += 50) {
      const relpath = directories.slice(at, at + 50);
      await call('POST', '/folder/file/mkdir', {
        ...folder,
        relpath,
        parents: true,
        exist_ok: true,
      });
    }
  });

  const largest = files.reduce((a, b) => (a.size > b.size ? a : b));
  await step(
    `upload ${files.length} files, ${(total / MIB).toFixed()} MiB, one of them in two goes`,
    () =>
      inParallel(files, async (file) => {
        const breakAt = file === largest ? Math.floor(file.size / 3) : undefined;
        await upload(folder, file.relpath, file.source, breakAt ? { breakAt } : {});
      }),
  );

  await step('list it and ask for its usage', async () => {
    const { items } = await call('POST', '/folder/file/list', { ...folder, relpath: '.' });
    assert.deepEqual(
      new Set(items.map((item) => item.name)),
      new Set(files.map((file) => file.relpath.split('/')[0])),
    );
    const { used_bytes: usedBytes } = await call('GET', '/folder/usage', folder);
    assert.ok(usedBytes >= total, `usage ${usedBytes} of at least ${total} bytes`);
  });

  await step('download every file, the largest by ranges, and compare SHA-256', async () => {
    await inParallel(files, async (file) => {
      const ranges = file === largest ? rangesOf(file.size) : [undefined];
      const hash = createHash('sha256');
      for (const range of ranges) {
        const answer = await download(folder, file.relpath, range ? { Range: range } : {});
        assert.equal(answer.status, range ? 206 : 200);
        for await (const chunk of answer.body) hash.update(chunk);
      }
      assert.equal(hash.digest('hex'), file.sha256, file.relpath);
    });
  });

  await step('clone the folder and watch the job', async () => {
    const { bgtask_id: job } = await call('POST', '/folder/clone', {
      src_volume: volume,
      src_vfid: folder.vfid,
      dst_volume: volume,
      dst_vfid: copy.vfid,
    });
    await jobEnds(job);
  });

  const top = files[0].relpath.split('/')[0];
  await step('rename a directory in the clone', () =>
    call('POST', '/folder/file/rename', { ...copy, relpath: top, new_name: `${top} renamed` }),
  );

  await step('download the clone as zip, unpack it, and compare SHA-256', async () => {
    const zip = path.join(scratch, 'clone.zip');
    const answer = await download(copy, '.', {}, '&archive=true');
    await pipeline(Readable.fromWeb(answer.body), createWriteStream(zip));
    const unpacked = path.join(scratch, 'unpacked');
    unzip(zip, unpacked);
    for (const file of files) {
      const [first, ...rest] = file.relpath.split('/');
      const unzipped = path.join(unpacked, first === top ? `${top} renamed` : first, ...rest);
      assert.equal(await sha256(unzipped), file.sha256, file.relpath);
    }
  });

  await step('delete both folders and watch the jobs', async () => {
    for (const { vfid } of [folder, copy]) {
      const { bgtask_id: job } = await call('POST', '/folder/delete', { volume, vfid });
      await jobEnds(job);
    }
  });
  say('done: every byte came back as it was sent');
}

function filesBelow(tree) {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const source = path.join(entry.parentPath, entry.name);
      const relpath = path.join(path.basename(tree), path.relative(tree, source));
      return { source, relpath, size: statSync(source).size };
    });
}

async function inParallel(items, work) {
  const queue = items.values();
  const worker = async () => {
    for (const item of queue) await work(item);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

function rangesOf(size) {
  const part = 5 * MIB + 1;
  return Array.from({ length: Math.ceil(size / part) }, (_, index) => {
    const first = index * part;
    return `bytes=${first}-${Math.min(first + part, size) - 1}`;
  });
}

async function sha256(file) {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk);
  return hash.digest('hex');
}

async function jobEnds(id) {
  for (;;) {
    const job = await call('GET', `/jobs/${id}`, {});
    if (job.state === 'done') return;
    assert.ok(['pending', 'running'].includes(job.state), `job ${id}: ${JSON.stringify(job)}`);
    await sleep(100);
  }
}

function unzip(zip, into) {
  try {
    execFileSync('unzip', ['-q', zip, '-d', into]);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    execFileSync('python3', ['-m', 'zipfile', '-e', zip, into]);
  }
}

async function step(what, work) {
  const started = performance.now();
  await work();
  say(`${what} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
