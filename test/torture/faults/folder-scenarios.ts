import { newScope } from '../../support/ids.js';
import type { Scenario } from './scenario.js';

const FILES = { 'a/one': 'first', 'a/b/two': 'second', three: 'third' };
const SORTED = JSON.stringify(
  Object.fromEntries(Object.entries(FILES).toSorted(([a], [b]) => (a < b ? -1 : 1))),
);

const create: Scenario = {
  name: 'creation of a vfolder',
  async prepare(stage) {
    const folder = stage.unusedFolder();
    return {
      run: async () => [await stage.wire.manager('POST', '/folder/create', folder)],
      halfDone: async ([outcome]) => {
        if (outcome?.status === 204 && !stage.exists(folder)) return ['told 204'];
        const again = await stage.wire.manager('POST', '/folder/create', folder);
        if (again.status !== 204) return [`the second time ${again.status}`];
        return stage.exists(folder) ? [] : ['not made the second time'];
      },
    };
  },
};

const createWithScope: Scenario = {
  name: 'creation of a quota scope',
  async prepare(stage) {
    const parameters = { volume: 'local', qsid: newScope() };
    return {
      run: async () => [await stage.wire.manager('POST', '/quota-scope', parameters)],
      halfDone: async ([outcome]) => {
        const path = `/quota-scope?volume=local&qsid=${parameters.qsid}`;
        if (outcome?.status !== 204) {
          const again = await stage.wire.manager('POST', '/quota-scope', parameters);
          // The directory may have been made before what failed.
          if (![204, 409].includes(again.status)) return [`the second time ${again.status}`];
        }
        const { status } = await stage.wire.manager('GET', path);
        return status === 200 ? [] : [`then GET answers ${status}`];
      },
    };
  },
};

const remove: Scenario = {
  name: 'deletion of a vfolder',
  isJob: true,
  async prepare(stage) {
    const folder = await stage.folder(FILES);
    return {
      run: async () => {
        const outcome = await stage.wire.manager('POST', '/folder/delete', folder);
        await stage.jobEnd(outcome);
        return [outcome];
      },
      halfDone: async ([outcome]) => {
        const isThere = stage.exists(folder);
        if (outcome!.status < 300 && isThere) return [`told ${outcome!.status}, and it is there`];
        if (isThere && JSON.stringify(stage.tree(folder)) !== SORTED)
          return ['half of it is there'];
        await stage.jobEnd(await stage.wire.manager('POST', '/folder/delete', folder));
        return stage.exists(folder) ? ['there after the second time'] : stage.swept();
      },
    };
  },
};

const clone: Scenario = {
  name: 'clone of a vfolder',
  isJob: true,
  async prepare(stage) {
    const source = await stage.folder(FILES);
    const copy = stage.unusedFolder();
    const parameters = {
      src_volume: source.volume,
      src_vfid: source.vfid,
      dst_volume: copy.volume,
      dst_vfid: copy.vfid,
    };
    let end: string | undefined;
    return {
      run: async () => {
        const outcome = await stage.wire.manager('POST', '/folder/clone', parameters);
        end = await stage.jobEnd(outcome);
        return [outcome];
      },
      halfDone: async () => {
        const isWhole = (): boolean => JSON.stringify(stage.tree(copy)) === SORTED;
        if (JSON.stringify(stage.tree(source)) !== SORTED) return ['the source has changed'];
        if (end === 'done' && !isWhole()) return ['done, and the clone is not whole'];
        if (end !== 'done' && stage.exists(copy) && !isWhole()) return ['half a clone is there'];
        const left = await stage.swept();
        if (isWhole()) return left;
        const again = await stage.jobEnd(
          await stage.wire.manager('POST', '/folder/clone', parameters),
        );
        return again === 'done' && isWhole() ? left : [...left, `the second time: ${again}`];
      },
    };
  },
};

export const folderScenarios: readonly Scenario[] = [create, createWithScope, remove, clone];
