import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { childrenOf } from '../support/processes.js';
import { TestServer } from '../support/server.js';
import { Stage } from '../torture/faults/scenario.js';
import type { Outcome } from '../torture/wire.js';

/** Whether this process may trace others; containers often forbid it. */
const mayTrace =
  spawnSync('strace', ['-qq', '-e', 'trace=none', 'true'], { stdio: 'ignore' }).status === 0;
if (!mayTrace) {
  process.stderr.write('SKIPPED: faults under strace, which is missing or may not trace here\n');
}

const BODY = Buffer.alloc(100_000, 'traced ');
const ATTACHED = /attached/;

(mayTrace ? describe : describe.skip)('with the real calls failing, injected by strace', () => {
  let server: TestServer;
  let stage: Stage;

  beforeAll(async () => {
    server = await TestServer.start({ config: { server: { 'thread-pool-size': 4 } } });
    stage = new Stage(server);
  });
  afterAll(async () => {
    stage?.close();
    await server?.stop();
  });

  /** Every such call of every thread of the worker fails while `work` runs. */
  async function failing<Result>(
    syscalls: string,
    errno: string,
    work: () => Promise<Result>,
  ): Promise<Result> {
    const worker = childrenOf(server.pid).find(({ title }) => /worker \d+$/.test(title))!;
    const rules = [`trace=${syscalls}`, `inject=${syscalls}:error=${errno}`, 'signal=none'];
    const strace = spawn(
      'strace',
      ['-f', ...rules.flatMap((rule) => ['-e', rule]), '-p', String(worker.pid)],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    strace.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await server.until('strace to be attached', () => {
      if (strace.exitCode !== null) throw new Error(said);
      return ATTACHED.test(said);
    });
    try {
      return await work();
    } finally {
      const gone = once(strace, 'exit');
      strace.kill('SIGINT');
      await gone;
    }
  }

  it.each([
    ['fdatasync,fsync', 'EIO', 503],
    ['pwrite64,pwritev,pwritev2', 'ENOSPC', 507],
    ['pwrite64,pwritev,pwritev2', 'EDQUOT', 507],
    ['renameat2,renameat,rename', 'EIO', 503],
    ['mkdirat', 'ENOSPC', 507],
  ])('an upload: %s fails with %s, then goes on', async (syscalls, errno, status) => {
    const folder = await stage.folder();
    const token = await stage.token(folder, 'new/file', BODY.length);
    const patch = await failing(syscalls, errno, () => stage.patch(token, 0, BODY));
    expect({ status: patch.status, body: patch.bytes.toString() }).toMatchObject({ status });
    expect(stage.exists(folder, 'new/file')).toBe(false);
    await stage.usable();
    const offset = Number((await stage.head(token)).headers['upload-offset']);
    if (offset < BODY.length) {
      expect((await stage.patch(token, offset, BODY.subarray(offset))).status).toBe(204);
    }
    expect(stage.read(folder, 'new/file')).toBe(BODY.toString());
  });

  const operations: [string, string, number, (ref: object) => Promise<Outcome>][] = [
    ['openat2', 'EMFILE', 503, (ref) => stage.file('mkdir', { ...ref, relpath: 'made' })],
    [
      'renameat2,rename,renameat',
      'EIO',
      503,
      (ref) => stage.file('rename', { ...ref, relpath: 'file', new_name: 'other' }),
    ],
    ['unlinkat', 'EIO', 503, (ref) => stage.file('delete', { ...ref, relpaths: ['file'] })],
    ['getdents64', 'EIO', 503, (ref) => stage.file('list', { ...ref, relpath: '.' })],
  ];
  it.each(operations)('%s fails with %s: answered %i, and then not any more', async (...row) => {
    const [syscalls, errno, status, operate] = row;
    const folder = await stage.folder({ file: 'content' });
    const outcome = await failing(syscalls, errno, () => operate(folder));
    expect({ status: outcome.status, body: outcome.bytes.toString() }).toMatchObject({ status });
    await stage.usable();
    expect((await operate(folder)).status).toBeLessThan(300);
  });
});
