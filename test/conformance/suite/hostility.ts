import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import type { TreeOperations } from '../../../src/backend/contract/tree-operations.js';
import { HERE, location, type BackendHost, type OpenVolume } from './backend-under-test.js';

/** Puts a link to the outside in the place of a directory and takes it away again, as fast as it can. */
const SWAPPER = `
  const fs = require('node:fs');
  const [folder, outside] = process.argv.slice(1);
  const names = ['a', 'b', 'c'].map((name) => folder + '/' + name);
  const attempt = (work) => { try { work(); } catch {} };
  for (;;) for (const name of names) {
    attempt(() => fs.renameSync(name, name + '-real'));
    attempt(() => fs.symlinkSync(outside, name));
    attempt(() => fs.unlinkSync(name));
    attempt(() => fs.renameSync(name + '-real', name));
  }
`;

/** A tenant changes the tree while we work in it. */
export function describeHostility(host: BackendHost): void {
  const rounds = host.subject.isSlow ? 5 : 60;
  let volume: OpenVolume;
  let trees: TreeOperations;
  let swapper: ChildProcess;
  const folder = location('folder');

  beforeEach(async () => {
    volume = await host.open();
    ({ trees } = volume.strategies);
    fs.mkdirSync(volume.at('outside/deep'), { recursive: true });
    fs.writeFileSync(volume.at('outside/secret'), 'secret');
    fs.writeFileSync(volume.at('outside/deep/secret'), 'secret');
    makeFolder();
    swapper = spawn(process.execPath, ['-e', SWAPPER, volume.at('folder'), volume.at('outside')]);
  });
  afterEach(async () => {
    const gone = new Promise((resolve) => swapper.once('exit', resolve));
    swapper.kill('SIGKILL');
    await gone;
    expect(fs.readFileSync(volume.at('outside/secret'), 'utf8')).toBe('secret');
    expect(fs.readFileSync(volume.at('outside/deep/secret'), 'utf8')).toBe('secret');
    await volume.close();
  });

  function makeFolder(): void {
    for (const name of ['a', 'b', 'c']) {
      fs.mkdirSync(volume.at('folder', name, 'x/y'), { recursive: true });
      for (let index = 0; index < 20; index++) {
        fs.writeFileSync(volume.at('folder', name, 'x/y', `f${index}`), '');
      }
    }
  }

  it('never shows what is outside', async () => {
    for (let round = 0; round < rounds; round++) {
      for await (const batch of trees.scan(folder, HERE)) {
        for (const { path } of batch) expect(path.toString()).not.toContain('secret');
      }
      const listing = trees.list(folder, Buffer.from('a'), { limit: 0 });
      const names = await listing.then(
        ({ entries }) => entries.map(({ name }) => name.toString()),
        () => [],
      );
      expect(names).not.toContain('secret');
    }
  });

  it('never copies what is outside', async () => {
    for (let round = 0; round < rounds; round++) {
      // A directory that was copied before cannot be replaced by the link that it is this time.
      await trees.copy(folder, location('copy')).catch((error: unknown) => {
        expect(error).toMatchObject({
          code: expect.stringMatching(/EISDIR|ENOTDIR|ELOOP/) as unknown,
        });
      });
    }
    const stolen = execFileSync('find', [volume.at('copy'), '-name', 'secret']).toString();
    expect(stolen).toBe('');
    expect(fs.readdirSync(volume.at('copy')).join()).not.toContain('.partial');
  });

  it('never removes what is outside', async () => {
    for (let round = 0; round < rounds; round++) {
      await trees.removeEntry(folder, Buffer.from('a/x')).catch(() => undefined);
      await trees.remove(folder, { keepDirectory: true }).catch(() => undefined);
      try {
        makeFolder();
      } catch {
        // The swapper had a link where a directory was to be made.
      }
    }
  });
}
