import type { Outcome } from '../wire.js';
import { jsonOf } from '../wire.js';
import type { Folder, Scenario, Stage } from './scenario.js';

const CONTENT = 'content';
const FILES = { 'a/one': CONTENT, 'a/two': CONTENT, 'b/three': CONTENT };

/** An operation on the entries of a folder that leaves it as it was, or as it ought to be. */
function change(
  name: string,
  path: string,
  parameters: object,
  after: Readonly<Record<string, string>>,
): Scenario {
  return {
    name,
    ...(path === 'delete-async' && { isJob: true }),
    async prepare(stage) {
      const folder = await stage.folder(FILES);
      return {
        run: async () => {
          const outcome = await stage.file(path, { ...folder, ...parameters });
          await stage.jobEnd(outcome);
          return [outcome];
        },
        halfDone: ([outcome]) =>
          beforeOrAfter(stage, folder, outcome!, { path, parameters, after }),
      };
    },
  };
}

async function beforeOrAfter(
  stage: Stage,
  folder: Folder,
  { status }: Outcome,
  expected: { path: string; parameters: object; after: Readonly<Record<string, string>> },
): Promise<string[]> {
  const { path, parameters, after } = expected;
  const isAfter = (): boolean => JSON.stringify(stage.tree(folder)) === JSON.stringify(after);
  const now = JSON.stringify(stage.tree(folder));
  // Trees are deleted entry by entry, so that some may be gone.
  const isBetween = path.startsWith('delete') && Object.keys(stage.tree(folder)).length > 1;
  if (status < 300 && path !== 'delete-async' && !isAfter()) return [`told ${status}: ${now}`];
  if (isAfter()) return [];
  if (now !== JSON.stringify(FILES) && !isBetween) return [`half-done: ${now}`];
  const again = await stage.file(path, { ...folder, ...parameters });
  await stage.jobEnd(again);
  return isAfter() ? [] : [`the second time ${again.status}: ${again.bytes.toString()}`];
}

const changes = [
  change(
    'rename of a file',
    'rename',
    { relpath: 'a/one', new_name: 'uno' },
    { 'a/two': CONTENT, 'a/uno': CONTENT, 'b/three': CONTENT },
  ),
  change(
    'move of a file into a directory',
    'move',
    { src_relpath: 'a/one', dst_relpath: 'b' },
    { 'a/two': CONTENT, 'b/one': CONTENT, 'b/three': CONTENT },
  ),
  change(
    'move of a directory',
    'move',
    { src_relpath: 'a', dst_relpath: 'c/d' },
    { 'b/three': CONTENT, 'c/d/one': CONTENT, 'c/d/two': CONTENT },
  ),
  change(
    'deletion of a tree',
    'delete',
    { relpaths: ['a'], recursive: true },
    { 'b/three': CONTENT },
  ),
  change(
    'deletion of files',
    'delete',
    { relpaths: ['a/one', 'a/two'], recursive: false },
    { 'b/three': CONTENT },
  ),
  change(
    'deletion by a job',
    'delete-async',
    { relpaths: ['a'], recursive: true },
    { 'b/three': CONTENT },
  ),
];

const mkdir: Scenario = {
  name: 'making directories',
  async prepare(stage) {
    const folder = await stage.folder();
    const parameters = { ...folder, relpath: 'x/y/z', parents: true, exist_ok: true };
    return {
      run: async () => {
        const outcome = await stage.file('mkdir', parameters);
        // 422 reports the failure of the one path.
        return outcome.status === 422 ? [{ ...outcome, status: 400 }] : [outcome];
      },
      halfDone: async ([outcome]) => {
        if (outcome?.status === 200 && !stage.exists(folder, 'x/y/z')) return ['told 200'];
        await stage.expect(200, await stage.file('mkdir', parameters));
        return stage.exists(folder, 'x/y/z') ? [] : ['not made the second time'];
      },
    };
  },
};

/** Large enough for sendfile(2). */
const LARGE = 'a large file, '.repeat(40_000);

/** Reads change nothing; what comes whole must be right, and what does not must be seen to be cut off. */
function reading(
  name: string,
  get: (stage: Stage, folder: Folder) => Promise<Outcome>,
  isRight: (outcome: Outcome) => boolean,
): Scenario {
  return {
    name,
    async prepare(stage) {
      const folder = await stage.folder({ ...FILES, large: LARGE });
      return {
        run: async () => {
          const outcome = await get(stage, folder);
          if (outcome.status === 200 && !outcome.broken && !isRight(outcome)) {
            throw new Error(`${name}: a wrong answer that looks right`);
          }
          // The head is under way before the first byte is read: what fails then can only be cut off.
          return outcome.status === 0 && outcome.broken ? [] : [outcome];
        },
        halfDone: async () => {
          const again = await get(stage, folder);
          return again.status === 200 && isRight(again) ? [] : [`the second time ${again.status}`];
        },
      };
    },
  };
}

async function download(
  stage: Stage,
  folder: Folder,
  relpath: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  const issued = await stage.file('download', { ...folder, relpath });
  const token = String(jsonOf(issued)['token']);
  return stage.wire.client('GET', '/download', { token, ...query });
}

const readings = [
  reading(
    'list',
    (stage, folder) => stage.file('list', { ...folder, relpath: 'a' }),
    ({ bytes }) => bytes.includes('"one"') && bytes.includes('"two"'),
  ),
  reading(
    'usage',
    (stage, folder) => stage.wire.manager('GET', '/folder/usage', folder),
    (outcome) => Number(jsonOf(outcome)['used_bytes']) > LARGE.length,
  ),
  reading(
    'fetch',
    (stage, folder) => stage.file('fetch', { ...folder, relpath: 'large' }),
    ({ bytes }) => bytes.toString() === LARGE,
  ),
  reading(
    'download',
    (stage, folder) => download(stage, folder, 'large'),
    ({ bytes }) => bytes.toString() === LARGE,
  ),
  reading(
    'zip',
    (stage, folder) => download(stage, folder, 'a', { archive: 'true' }),
    ({ bytes }) => bytes.includes('one') && bytes.includes('two'),
  ),
];

export const fileScenarios: readonly Scenario[] = [...changes, mkdir, ...readings];
