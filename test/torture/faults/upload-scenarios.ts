import { jsonOf, type Outcome } from '../wire.js';
import type { Folder, Scenario, Stage } from './scenario.js';

const CONTENT = 'what is uploaded, '.repeat(6000);
const BODY = Buffer.from(CONTENT);
const HALF = Math.floor(BODY.length / 2);

/** Brings the upload to its end as a client does, and says what is wrong with that. */
async function resumed(
  stage: Stage,
  folder: Folder,
  relpath: string,
  token: string,
): Promise<string[]> {
  const early = stage.read(folder, relpath);
  if (early !== undefined && early !== CONTENT) return ['a partial file has the final name'];
  const head = await stage.head(token);
  if (head.status !== 200) return [`HEAD answers ${head.status}`];
  const offset = Number(head.headers['upload-offset']);
  if (offset < BODY.length) {
    const rest = await stage.patch(token, offset, BODY.subarray(offset));
    if (rest.status !== 204) return [`resuming answers ${rest.status}: ${rest.bytes.toString()}`];
  }
  if (stage.read(folder, relpath) !== CONTENT) return ['the uploaded file is not what was sent'];
  const left = stage.staged(folder).filter((name) => !name.endsWith('.done'));
  return left.map((name) => `.upload/${name} is left`);
}

const wholeUpload: Scenario = {
  name: 'upload in one PATCH, with new directories',
  async prepare(stage) {
    const folder = await stage.folder();
    const relpath = 'new/deep/file';
    const token = await stage.token(folder, relpath, BODY.length);
    return {
      run: async () => [await stage.patch(token, 0, BODY)],
      halfDone: async ([patch]) => {
        const acknowledged = patch?.status === 204;
        if (acknowledged && stage.read(folder, relpath) !== CONTENT) {
          return ['acknowledged, and the file is not there'];
        }
        return resumed(stage, folder, relpath, token);
      },
    };
  },
};

const partedUpload: Scenario = {
  name: 'upload in two parts',
  async prepare(stage) {
    const folder = await stage.folder({ file: 'an older file' });
    const token = await stage.token(folder, 'file', BODY.length);
    let acknowledged = 0;
    return {
      run: async () => {
        const outcomes: Outcome[] = [await stage.patch(token, 0, BODY.subarray(0, HALF))];
        if (outcomes[0]!.status === 204) acknowledged = HALF;
        const head = await stage.head(token);
        outcomes.push(head);
        if (head.status !== 200) return outcomes;
        const offset = Number(head.headers['upload-offset']);
        outcomes.push(await stage.patch(token, offset, BODY.subarray(offset)));
        if (outcomes[2]!.status === 204) acknowledged = BODY.length;
        return outcomes;
      },
      halfDone: async () => {
        const now = stage.read(folder, 'file');
        if (now !== 'an older file' && now !== CONTENT) return ['the older file is damaged'];
        const head = await stage.head(token);
        const offset = Number(head.headers['upload-offset'] ?? -1);
        if (offset < acknowledged) return [`HEAD tells ${offset} of ${acknowledged} bytes`];
        if (now === CONTENT) return offset === BODY.length ? [] : ['whole, and HEAD does not say'];
        const rest = await stage.patch(token, offset, BODY.subarray(offset));
        if (rest.status !== 204) return [`resuming answers ${rest.status}`];
        return stage.read(folder, 'file') === CONTENT ? [] : ['the file is not what was sent'];
      },
    };
  },
};

const uploadToken: Scenario = {
  name: 'opening an upload',
  async prepare(stage) {
    const folder = await stage.folder();
    const parameters = { ...folder, relpath: 'file', size: BODY.length };
    return {
      run: async () => [await stage.file('upload', parameters)],
      halfDone: async ([issued]) => {
        if (issued?.status === 200) {
          return resumed(stage, folder, 'file', String(jsonOf(issued)['token']));
        }
        const left = stage.staged(folder).map((name) => `.upload/${name} is left`);
        const again = await stage.token(folder, 'file', BODY.length);
        return [...left, ...(await resumed(stage, folder, 'file', again))];
      },
    };
  },
};

const emptyUpload: Scenario = {
  name: 'uploading an empty file',
  async prepare(stage) {
    const folder = await stage.folder();
    const parameters = { ...folder, relpath: 'empty', size: 0 };
    return {
      run: async () => [await stage.file('upload', parameters)],
      halfDone: async ([issued]) => {
        if (issued?.status === 200) {
          return stage.read(folder, 'empty') === '' ? [] : ['told 200, and no file'];
        }
        const left = stage.staged(folder).map((name) => `.upload/${name} is left`);
        await stage.token(folder, 'empty', 0);
        return stage.read(folder, 'empty') === '' ? left : [...left, 'no file the second time'];
      },
    };
  },
};

export const uploadScenarios: readonly Scenario[] = [
  uploadToken,
  wholeUpload,
  partedUpload,
  emptyUpload,
];
