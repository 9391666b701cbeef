import { calls } from '../../../native/calls.js';
import { Errno, isErrno } from '../../../native/errno.js';
import type { Entry } from '../../contract/entry.js';
import type { TreeUsage } from '../../contract/tree-operations.js';
import type { TreeTaskOptions } from '../../contract/tree-task.js';
import type { Anchor } from './anchors.js';
import { EMPTY, FILL, READ } from './confined-start.js';
import { parseListedRecord, type ListedRecord } from './listing-record.js';
import { splitRecords } from './records.js';
import type { ToolRunner } from './tool-runner.js';
import type { Toolkit } from './toolkit.js';
import { UsageSum } from './usage-records.js';

const NUL = 0;
const LINE_FEED = 0x0a;
const PROGRESS_MS = 200;
/** Of the arguments of one program; the kernel allows two mebibytes with the environment. */
const ARGUMENT_BYTES = 128 * 1024;

/**
 * The programs of the toolkit with their options, both major versions (seen in public integrations; no manual is
 * public). Directories are given by descriptor: a program is started in one and told `.`, so no argument has a
 * tenant's name in it but below that directory, and `--` stands before all.
 *
 * Methods throw ToolError when the program fails or cannot be understood.
 */
export class Tools {
  constructor(
    readonly toolkit: Toolkit,
    private readonly runner: ToolRunner,
    private readonly reservedNames: readonly Buffer[],
  ) {}

  /**
   * The entries of one directory, or `more` when there are more than `limit` (0: no limit). Throws UncertainName as
   * well. Those that vanish meanwhile are left out.
   */
  async list({ fd }: Anchor, limit: number, signal?: AbortSignal): Promise<Entry[] | 'more'> {
    const { version, pls } = this.toolkit;
    const format = version.major === 1 ? '--json' : '--jsonlines';
    const command = { tool: 'pls', program: pls, args: [format, '--', '.'], directory: fd };
    const entries: Entry[] = [];
    for await (const line of splitRecords(this.runner.look(command, signal), LINE_FEED)) {
      if (line.length === 0) continue;
      const entry = await withTarget(fd, parseListedRecord(line, version.major));
      if (entry === undefined) continue;
      if (limit > 0 && entries.length === limit) return 'more';
      entries.push(entry);
    }
    return entries;
  }

  /** What is below the directory; `isCumulative` as for UsageSum. Throws ReservedEntry as well. */
  async usage(
    { fd }: Anchor,
    { signal, onProgress }: TreeTaskOptions,
    isCumulative: boolean,
  ): Promise<TreeUsage> {
    const { version, pdu } = this.toolkit;
    // Toolkit 2 refuses -s beside -a, as GNU du does; without it toolkit 1 was never seen.
    const args = ['-0', '-b', '-a', ...(version.major === 1 ? ['-s'] : []), '--', '.'];
    const output = this.runner.walk(
      { tool: 'pdu', program: pdu, args, directory: fd, trees: [{ fd, rights: READ }] },
      signal,
    );
    const sum = new UsageSum(isCumulative, this.reservedNames);
    const timer = onProgress && setInterval(() => onProgress(sum.progress), PROGRESS_MS);
    try {
      for await (const record of splitRecords(output, NUL)) sum.add(record);
    } finally {
      clearInterval(timer);
    }
    const result = sum.result();
    onProgress?.({ entries: result.fileCount, bytes: result.usedBytes });
    return result;
  }

  /** Copies what is in `source` into `target`, which is empty. Either may be swapped for a link; neither is followed. */
  async copy(source: Anchor, target: Anchor, signal?: AbortSignal): Promise<void> {
    const { version, copy } = this.toolkit;
    // Both are descriptors of the program. `/.` copies the content into a directory that exists; with -T, as for
    // GNU cp, the directory itself is meant.
    const args =
      version.major === 1
        ? ['-r', '-p', '--', './.', '/proc/self/fd/4/.']
        : ['-r', '-T', '-p', '--', '.', '/proc/self/fd/4/.'];
    await finish(
      this.runner.walk(
        {
          tool: version.major === 1 ? 'pcp' : 'pcopy',
          program: copy,
          args,
          directory: source.fd,
          trees: [
            { fd: source.fd, rights: READ },
            { fd: target.fd, rights: FILL },
          ],
        },
        signal,
      ),
    );
  }

  /** Removes the entries of that name in the directory, trees among them; the directory itself stays. */
  async remove({ fd }: Anchor, names: readonly Buffer[], signal?: AbortSignal): Promise<void> {
    for (const paths of argumentsOf(names)) {
      await finish(
        this.runner.walk(
          {
            tool: 'prm',
            program: this.toolkit.prm,
            args: ['-r', '--', ...paths],
            directory: fd,
            trees: [{ fd, rights: EMPTY }],
          },
          signal,
        ),
      );
    }
  }
}

async function finish(output: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of output);
}

/** The listing does not tell where a link leads. */
async function withTarget(dirfd: number, record: ListedRecord): Promise<Entry | undefined> {
  if (record.type !== 'SYMLINK') return record;
  try {
    return { ...record, target: await calls.readlinkat(dirfd, record.name) };
  } catch (error) {
    if (isErrno(error, Errno.ENOENT, Errno.EINVAL)) return undefined;
    throw error;
  }
}

/** `./name` for each name that an argument can carry: Node passes text on as UTF-8. The others stay. */
function* argumentsOf(names: readonly Buffer[]): Generator<string[], void> {
  let paths: string[] = [];
  let bytes = 0;
  for (const name of names) {
    const path = `./${name.toString('utf8')}`;
    if (!Buffer.from(path.slice(2)).equals(name)) continue;
    if (bytes + name.length > ARGUMENT_BYTES) {
      yield paths;
      paths = [];
      bytes = 0;
    }
    paths.push(path);
    bytes += name.length + 3;
  }
  if (paths.length > 0) yield paths;
}
