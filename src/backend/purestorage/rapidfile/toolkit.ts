import { access, constants } from 'node:fs/promises';
import { basename, dirname, isAbsolute, join } from 'node:path';
import { calls } from '../../../native/calls.js';
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from '../../../native/constants.js';
import { ToolError } from './tool-error.js';
import { runTool } from './tool-process.js';
import { parseToolkitVersion, type ToolkitVersion } from './toolkit-version.js';

const VERSION_DEADLINE_MS = 10_000;
const VERSION_BYTES = 64 * 1024;

/** The programs of one installed toolkit, by absolute path. */
export interface Toolkit {
  readonly version: ToolkitVersion;
  readonly directory: string;
  /** `pls`, `pdu`, `prm`, and for copies `pcp` (1) or `pcopy` (2). */
  readonly pls: string;
  readonly pdu: string;
  readonly prm: string;
  readonly copy: string;
}

/**
 * The toolkit in `directory`, or in the first folder of `PATH` that has one. A program counts by what it says of
 * itself, never by its name.
 *
 * Throws ToolError: what was found, and the remedy.
 */
export async function findToolkit(
  directory: string | undefined,
  searchPath = process.env['PATH'] ?? '',
): Promise<Toolkit> {
  const folders = directory === undefined ? searchPath.split(':').filter(isAbsolute) : [directory];
  const found: string[] = [];
  for (const folder of folders) {
    const pdu = join(folder, 'pdu');
    if (!(await isExecutable(pdu))) continue;
    const { version, other } = await versionOf('pdu', pdu);
    if (version) return await complete(folder, version);
    found.push(other);
  }
  const where = directory === undefined ? 'the folders of PATH' : directory;
  throw new ToolError(
    `the RapidFile Toolkit is not in ${where}${found.length > 0 ? `: ${found.join(', ')}` : ''}. Install it, name its folder with "rapidfile_path", or set rapidfile = "off"`,
  );
}

async function complete(directory: string, version: ToolkitVersion): Promise<Toolkit> {
  const tool = (name: string): string => join(directory, name);
  const toolkit = {
    version,
    directory,
    pls: tool('pls'),
    pdu: tool('pdu'),
    prm: tool('prm'),
    copy: tool(version.major === 1 ? 'pcp' : 'pcopy'),
  };
  // Each for itself: `pcp` is also a program of Performance Co-Pilot, in the same folders.
  for (const program of [toolkit.pls, toolkit.prm, toolkit.copy]) {
    if (!(await isExecutable(program))) throw incomplete(directory, version, `lacks ${program}`);
  }
  const others = [toolkit.pls, toolkit.prm, toolkit.copy].map((program) =>
    versionOf(basename(program), program),
  );
  for (const { version: found, other } of await Promise.all(others)) {
    if (found === undefined) throw incomplete(directory, version, `is not whole: ${other}`);
    if (found.major !== version.major) {
      throw incomplete(directory, version, `is mixed with programs of ${found.text}`);
    }
  }
  return toolkit;
}

function incomplete(directory: string, { text }: ToolkitVersion, how: string): ToolError {
  return new ToolError(
    `the RapidFile Toolkit ${text} in ${directory} ${how}. Install it again, in a folder of its own that "rapidfile_path" names`,
  );
}

/** What a program says it is; `other` is a clause for one that is not of the toolkit. */
async function versionOf(
  tool: string,
  program: string,
): Promise<{ readonly version: ToolkitVersion | undefined; readonly other: string }> {
  const output = await versionOutput(tool, program).catch((error: Error) => error.message);
  return {
    version: parseToolkitVersion(output),
    other: `${program} is another program ("${firstLine(output)}")`,
  };
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

async function versionOutput(tool: string, program: string): Promise<string> {
  const signal = AbortSignal.timeout(VERSION_DEADLINE_MS);
  const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  const folder = await calls.openat2(AT_FDCWD, Buffer.from(dirname(program)), flags);
  try {
    let output = Buffer.alloc(0);
    const command = { tool, program, args: ['--version'], directory: folder };
    for await (const chunk of runTool(command, { signal })) {
      output = Buffer.concat([output, chunk]);
      if (output.length > VERSION_BYTES) break;
    }
    return output.toString('utf8');
  } finally {
    await calls.close(folder);
  }
}

function firstLine(output: string): string {
  return (output.split('\n', 1)[0] ?? '').slice(0, 80);
}
