import fs from 'node:fs';
import path from 'node:path';
import { Errno } from '../../native/errno.js';
import { injectFaults } from '../../native/ffi.js';
import { Beneath } from '../../native/beneath.js';
import { DomainRig, SCOPED, UNSCOPED } from '../testing/domain-rig.js';
import { deletionPath, discard, removeEmptyPrefixes } from './trash.js';

const JOB = '11111111-2222-4333-8444-555555555555';

describe.each([
  ['scoped', SCOPED],
  ['unscoped', UNSCOPED],
])('discarding a vfolder of %s id', (_, ref) => {
  const name = { jobId: JOB, vfolder: ref.id };
  let rig: DomainRig;
  let root: Beneath;
  let vfolder: string;

  beforeEach(async () => {
    rig = new DomainRig();
    root = await Beneath.open(rig.path);
    const { vfolders } = await rig.worker();
    await vfolders.create(ref);
    vfolder = rig.hostPath(ref);
    fs.writeFileSync(path.join(vfolder, 'file'), '');
  });
  afterEach(() => {
    injectFaults(undefined);
    root.close();
    rig.remove();
  });

  const at = (place: 'trash' | 'sibling'): string =>
    path.join(rig.path, deletionPath(name, place).toString());
  /** No room for a directory, and after `renames` of them none to rename either. */
  const fullFor = (errno: number, renames: number): void => {
    fs.rmSync(path.dirname(at('trash')), { recursive: true, force: true });
    let seen = 0;
    injectFaults((syscall) => {
      if (syscall === 'mkdirat') return errno;
      return syscall === 'renameat2' && seen++ >= renames ? errno : undefined;
    });
  };

  it('moves it to the trash, which is made when it is missing, with all synced', async () => {
    fs.rmSync(path.dirname(at('trash')), { recursive: true, force: true });
    const synced: string[] = [];
    injectFaults((syscall) => void (syscall === 'fsync' && synced.push(syscall)));
    expect(await discard(root, name)).toEqual({ place: 'trash', inode: null });
    expect(fs.readdirSync(at('trash'))).toEqual(['file']);
    expect(fs.statSync(path.dirname(at('trash'))).mode & 0o777).toBe(0o700);
    expect(fs.existsSync(vfolder)).toBe(false);
    // The trash's name, what is in it, and what it came from.
    expect(synced).toHaveLength(3);
  });

  it('finds nothing where there is nothing', async () => {
    fs.rmSync(vfolder, { recursive: true });
    expect(await discard(root, name)).toEqual({ place: 'nowhere', inode: null });
  });

  it.each([Errno.ENOSPC, Errno.EDQUOT])(
    'moves it beside a trash that errno %i keeps from being made',
    async (errno) => {
      fullFor(errno, 1);
      expect(await discard(root, name)).toEqual({ place: 'sibling', inode: null });
      expect(fs.readdirSync(at('sibling'))).toEqual(['file']);
    },
  );

  it('leaves it where it is when not even its name can be changed', async () => {
    const { ino } = fs.statSync(vfolder, { bigint: true });
    fullFor(Errno.ENOSPC, 0);
    const discarded = await discard(root, name);
    expect(discarded.place).toBe('in-place');
    expect(discarded.inode?.ino).toBe(String(ino));
  });

  it.each([Errno.EXDEV, Errno.EBUSY])('leaves it when errno %i keeps it', async (errno) => {
    injectFaults((syscall) => (syscall === 'renameat2' ? errno : undefined));
    expect((await discard(root, name)).place).toBe('in-place');
  });

  it('fails with everything else, and has changed nothing', async () => {
    injectFaults((syscall) => (syscall === 'renameat2' ? Errno.EACCES : undefined));
    await expect(discard(root, name)).rejects.toMatchObject({ errno: Errno.EACCES });
    injectFaults(undefined);
    expect(fs.existsSync(vfolder)).toBe(true);
  });

  it('removes prefix directories that are empty, and no others', async () => {
    const [outer, inner] = [path.dirname(path.dirname(vfolder)), path.dirname(vfolder)];
    await removeEmptyPrefixes(root, ref.id);
    expect(fs.existsSync(inner)).toBe(true);
    await discard(root, name);
    fs.mkdirSync(path.join(outer, 'other'));
    await removeEmptyPrefixes(root, ref.id);
    expect(fs.existsSync(inner)).toBe(false);
    expect(fs.existsSync(outer)).toBe(true);
    fs.rmdirSync(path.join(outer, 'other'));
    await removeEmptyPrefixes(root, ref.id);
    expect(fs.existsSync(outer)).toBe(false);
    expect(fs.existsSync(path.dirname(outer))).toBe(true);
    await removeEmptyPrefixes(root, ref.id);
  });
});
