import fs from 'node:fs';
import path from 'node:path';
import { Descent } from './descent.js';
import {
  countDescriptors,
  makeDeepTree,
  makeScratch,
  openDirectory,
  removeScratch,
} from './testing/tree.js';

const LEVELS = 100;
const name = Buffer.from('d');

describe('Descent', () => {
  let top: string;
  let descent: Descent<number>;

  /** A walk that is `LEVELS` deep, so that most levels are suspended. */
  function descend(): void {
    for (let level = 1; level <= LEVELS; level++) {
      expect(descent.next()).toBe(true);
      descent.enter(descent.entry.name(), level);
    }
  }

  /** Where the walk is, if that still has a path. */
  const whereabouts = (): string => fs.readlinkSync(`/proc/self/fd/${descent.here.fd}`);
  const pathOf = (depth: number): string => path.join(top, ...Array<string>(depth).fill('d'));

  beforeEach(() => {
    top = makeScratch();
    makeDeepTree(top, LEVELS);
    descent = new Descent(openDirectory(top), 0);
  });

  afterEach(() => {
    descent.close();
    removeScratch(top);
  });

  it('keeps few descriptors open however deep it goes, and finds every level again', () => {
    const before = countDescriptors();
    descend();
    expect(countDescriptors() - before).toBeLessThan(40);
    for (let depth = LEVELS - 1; depth >= 0; depth--) {
      expect(descent.leave()?.state).toBe(depth + 1);
      expect(descent.depth).toBe(depth);
      expect(whereabouts()).toBe(pathOf(depth));
    }
  });

  it('goes on reading behind the entry it went into', () => {
    fs.writeFileSync(path.join(top, 'd', 'a'), '');
    fs.writeFileSync(path.join(top, 'd', 'z'), '');
    const seen: string[] = [];
    const walkDown = (): void => {
      while (descent.next()) {
        const entry = descent.entry.name();
        if (descent.depth === 1) seen.push(entry.toString());
        if (!entry.equals(name)) continue;
        descent.enter(entry, descent.depth + 1);
      }
    };
    walkDown();
    while (descent.depth > 0) {
      descent.leave();
      walkDown();
    }
    expect(seen.toSorted()).toEqual(['a', 'd', 'z']);
  });

  it('finds a level by the names that led to it when its child was moved away', () => {
    descend();
    while (descent.depth > LEVELS - 31) descent.leave();
    const depth = descent.depth;
    fs.renameSync(pathOf(depth), path.join(top, 'moved'));
    expect(descent.leave()?.state).toBe(depth);
    expect(whereabouts()).toBe(pathOf(depth - 1));
  });

  it('goes on in the deepest directory that is still there when a whole branch was moved away', () => {
    descend();
    while (descent.depth > LEVELS - 31) descent.leave();
    fs.renameSync(pathOf(40), path.join(top, 'moved'));
    // The parent is found through the child, wherever both are by now.
    expect(descent.leave()).toBeDefined();
    fs.renameSync(path.join(top, 'moved/d/d'), path.join(top, 'elsewhere'));
    let left: unknown = descent.here;
    while (left !== undefined) left = descent.leave();
    expect(descent.depth).toBe(39);
    expect(whereabouts()).toBe(pathOf(39));
  });

  it('never mistakes a directory that took the place of another for it', () => {
    descend();
    while (descent.depth > LEVELS - 31) descent.leave();
    const depth = descent.depth;
    const outside = path.join(top, 'outside');
    fs.mkdirSync(outside);
    fs.renameSync(pathOf(depth), path.join(outside, 'd'));
    fs.renameSync(pathOf(depth - 1), path.join(top, 'old'));
    fs.symlinkSync(outside, pathOf(depth - 1));
    expect(descent.leave()).toBeUndefined();
    expect(whereabouts()).toBe(pathOf(depth - 2));
  });

  it('stays where it is when a directory cannot be entered', () => {
    fs.symlinkSync('/', path.join(top, 'link'));
    fs.writeFileSync(path.join(top, 'file'), '');
    expect(() => descent.enter(Buffer.from('link'), 1)).toThrow(/ELOOP|ENOTDIR/);
    expect(() => descent.enter(Buffer.from('file'), 1)).toThrow('ENOTDIR');
    expect(descent.depth).toBe(0);
  });

  it('closes every descriptor', () => {
    descent.close();
    const before = countDescriptors();
    descent = new Descent(openDirectory(top), 0);
    descend();
    descent.close();
    descent.close();
    expect(countDescriptors()).toBe(before);
  });
});
