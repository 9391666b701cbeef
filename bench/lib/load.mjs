import { execFile, execFileSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const SOURCE = join(import.meta.dirname, '..', 'load', 'load.c');
const run = promisify(execFile);
let counter = 0;

/** Compiles the load generator into `directory`; once a run of the suite. */
export function buildLoad(directory) {
  const program = join(directory, 'load');
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(SOURCE).mtimeMs) {
    execFileSync('cc', ['-O2', '-o', program, SOURCE]);
  }
  return new Load(program, directory);
}

/**
 * One request of a script: see load.c for what may stand in `path`, `headers` and `text`. `body` is the
 * number of arbitrary bytes to send, `text` a literal body instead, `extract` what precedes the value
 * for `{v}` in the answer.
 */
export function step({
  port,
  method = 'GET',
  path,
  headers = {},
  body = 0,
  text = '',
  ...options
}) {
  const { repeat = 1, status = 200, extract = '' } = options;
  const length = text === '' ? body : Buffer.byteLength(text.replaceAll('{n}', '00000000'));
  const lines = [
    `${port} ${body} ${repeat} ${status} ${extract}`,
    `${method} ${path} HTTP/1.1\r`,
    `Host: 127.0.0.1:${port}\r`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}\r`),
    ...(length > 0 || method !== 'GET' ? [`Content-Length: ${length}\r`] : []),
    `\r\n${text}`,
  ];
  return lines.join('\n');
}

class Load {
  constructor(program, directory) {
    this.program = program;
    this.directory = directory;
  }

  /** Goes through `steps` on each connection: `iterations` times in all, or for `seconds`. */
  async run({ connections = 1, iterations, seconds, list, steps }) {
    const args = ['-c', String(connections)];
    if (iterations !== undefined) args.push('-n', String(iterations));
    if (seconds !== undefined) args.push('-d', String(seconds));
    if (list !== undefined) args.push('-l', this.#file(list.join('\n')));
    args.push(...steps.map((text) => this.#file(text)));
    const { stdout } = await run(this.program, args).catch((error) => {
      throw new Error(`the load met failures: ${error.stderr} ${error.stdout}`, { cause: error });
    });
    return JSON.parse(stdout);
  }

  #file(text) {
    const path = join(this.directory, `load-${counter++ % 64}.txt`);
    writeFileSync(path, text);
    return path;
  }
}
