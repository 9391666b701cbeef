import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { DevServer } from '../support/dev-server.js';

const execute = promisify(execFile);
/** Hashing and moving 100 MiB takes some seconds on an idle machine, minutes on a busy one. */
const PATIENCE_MS = 600_000;

describe('the playground of `serve --dev`', () => {
  let server: DevServer;
  beforeAll(async () => {
    server = await DevServer.start();
  });
  afterAll(() => server.stop());

  /** Runs shell text where the server was started, with its ports in place of the usual ones. */
  async function shell(text: string): Promise<string> {
    const here = text
      .replaceAll(':6021', `:${server.ports.client}`)
      .replaceAll(':6022', `:${server.ports.manager}`);
    const { stdout } = await execute('bash', ['-euc', here], { cwd: server.directory });
    return stdout;
  }

  it('starts with a banner whose curl works and shows no secret, and without warnings', async () => {
    const curl = /^ *(curl .*)$/m.exec(server.output)![1]!;
    expect(JSON.parse(await shell(curl))).toMatchObject({ volumes: [{ name: 'local' }] });
    expect(server.output).not.toContain(readFileSync(server.secretFile, 'utf8').trim());
    expect(statSync(server.secretFile).mode & 0o777).toBe(0o600);
    expect(server.output).not.toContain('"level":"warn"');
  });

  it('does what the five minutes of the README say', async () => {
    const readme = readFileSync('README.md', 'utf8');
    const snippets = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!);
    const snippet = snippets.find((text) => text.includes('VFID='));
    expect(await shell(snippet!)).toMatch(/^same$/m);
  });

  it(
    'carries examples/quickstart.sh to its end',
    async () => {
      const { stdout } = await execute('examples/quickstart.sh', [], {
        env: {
          ...process.env,
          MANAGER: `http://127.0.0.1:${server.ports.manager}`,
          CLIENT: `http://127.0.0.1:${server.ports.client}`,
          SECRET_FILE: server.secretFile,
        },
      });
      const [, files, mebibytes] = /upload (\d+) files, (\d+) MiB/.exec(stdout)!;
      expect(Number(files)).toBeGreaterThanOrEqual(1000);
      expect(Number(mebibytes)).toBeGreaterThanOrEqual(100);
      expect(stdout).toMatch(/^done: every byte came back as it was sent$/m);
    },
    PATIENCE_MS,
  );
});
