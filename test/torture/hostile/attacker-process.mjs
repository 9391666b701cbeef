/**
 * A tenant who owns vfolders and means harm: exchanges directories and files for links, FIFOs, sockets and devices as
 * fast as the kernel lets it, moves directories between parents, replaces files. It works on descriptors and never
 * follows a link, so whatever happens outside of its folders was done by somebody else.
 *
 * Argument: a JSON text of { seed, targets: string[] } with what links may point to. Messages in: { folder: path } to
 * take one on, 'stop'. Messages out: { swaps } after 'stop'.
 */
import fs from 'node:fs';
import koffi from 'koffi';

const { seed, targets } = JSON.parse(process.argv[2]);
const libc = koffi.load(null);
const renameat2 = libc.func(
  'int renameat2(int oldDir, const char *old, int newDir, const char *name, unsigned int flags)',
);
const symlinkat = libc.func('int symlinkat(const char *target, int dir, const char *name)');
const mkdirat = libc.func('int mkdirat(int dir, const char *name, unsigned int mode)');
const mknodat = libc.func(
  'int mknodat(int dir, const char *name, unsigned int mode, unsigned long device)',
);
const openat = libc.func('int openat(int dir, const char *name, int flags, unsigned int mode)');
const unlinkat = libc.func('int unlinkat(int dir, const char *name, int flags)');
const linkat = libc.func(
  'int linkat(int oldDir, const char *old, int newDir, const char *name, int flags)',
);

const { O_DIRECTORY, O_NOFOLLOW, O_CREAT, O_EXCL, O_WRONLY, S_IFIFO, S_IFSOCK, S_IFCHR } = {
  ...fs.constants,
  S_IFIFO: 0o010000,
  S_IFSOCK: 0o140000,
  S_IFCHR: 0o020000,
};
const EXCHANGE = 2;
const STEPS_A_TURN = 400;
const REBUILD_EVERY = 3000;

/** Real directories of a folder; the parents come first. */
const DIRECTORIES = ['d0', 'd1', 'd0/b', 'd1/b', 'd0/b/c', '.upload'];
const FILES = ['f0', 'f1'];
const SMALL = Buffer.from('mine\n');
const LARGE = Buffer.alloc(300 * 1024, 'mine ');

let state = seed >>> 0;
function random(below) {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
}
const pick = (values) => values[random(values.length)];
/** What a name is exchanged with. */
const shadow = (name) => `.~${name}`;

class Folder {
  /** By path; the folder itself is ''. */
  handles = new Map();
  names = [];
  steps = 0;

  constructor(path) {
    this.handles.set('', fs.openSync(path, O_DIRECTORY | O_NOFOLLOW));
    this.rebuild();
  }

  /** Makes what others have deleted, and finds the directories again wherever they were exchanged to. */
  rebuild() {
    for (const [path, fd] of this.handles) {
      if (path === '') continue;
      fs.closeSync(fd);
      this.handles.delete(path);
    }
    for (const path of DIRECTORIES) {
      const cut = path.lastIndexOf('/');
      const parent = this.handles.get(cut < 0 ? '' : path.slice(0, cut));
      if (parent === undefined) continue;
      const name = path.slice(cut + 1);
      const fd = openDirectory(parent, name);
      if (fd >= 0) this.handles.set(path, fd);
      symlinkat(pick(targets), parent, shadow(name));
    }
    for (const fd of this.handles.values()) {
      for (const [index, name] of FILES.entries()) {
        write(fd, name, index === 0 ? SMALL : LARGE);
        symlinkat(`${pick(targets)}/${name}`, fd, shadow(name));
      }
    }
    this.spots = [...this.handles].flatMap(([path, fd]) => [
      ...FILES.map((name) => ({ fd, name, isFile: true })),
      ...DIRECTORIES.filter(
        (other) => other.slice(0, Math.max(0, other.lastIndexOf('/'))) === path,
      ).map((other) => ({ fd, name: other.slice(other.lastIndexOf('/') + 1), isFile: false })),
    ]);
  }

  step() {
    if (++this.steps % REBUILD_EVERY === 0) this.rebuild();
    const { fd, name, isFile } = pick(this.spots);
    const dice = random(100);
    if (dice < 75) renameat2(fd, name, fd, shadow(name), EXCHANGE);
    else if (dice < 85) replace(fd, shadow(name), (temporary) => link(fd, temporary, name, isFile));
    else if (dice < 90) this.moveDirectory();
    else if (isFile && dice < 94) replace(fd, name, (temporary) => special(fd, temporary));
    else if (isFile && dice < 97) replace(fd, name, (temporary) => write(fd, temporary, SMALL));
    else if (isFile) replace(fd, name, (temporary) => linkat(fd, shadow(name), fd, temporary, 0));
    else symlinkat(pick(targets), fd, shadow(name));
  }

  moveDirectory() {
    const from = this.handles.get('d0');
    const to = this.handles.get('d1');
    if (from === undefined || to === undefined) return;
    if (random(2) === 0) renameat2(from, 'b', to, 'b', EXCHANGE);
    else if (renameat2(from, 'b', this.handles.get(''), 'moved', 0) === 0) {
      renameat2(this.handles.get(''), 'moved', from, 'b', 0);
    }
  }
}

function openDirectory(parent, name) {
  for (const candidate of [name, shadow(name)]) {
    const fd = openat(parent, candidate, O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd >= 0) return fd;
  }
  if (mkdirat(parent, name, 0o777) !== 0) {
    // Something else has the name; the directory takes the one beside it.
    unlinkat(parent, shadow(name), 0);
    mkdirat(parent, shadow(name), 0o777);
  }
  for (const candidate of [name, shadow(name)]) {
    const fd = openat(parent, candidate, O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd >= 0) return fd;
  }
  return -1;
}

/** Makes something under another name and puts it over `name`, which is never missing in between. */
function replace(fd, name, make) {
  const temporary = `.t${random(1e9)}`;
  make(temporary);
  if (renameat2(fd, temporary, fd, name, 0) !== 0) unlinkat(fd, temporary, 0);
}

function link(fd, temporary, name, isFile) {
  const others = [
    shadow('d0'),
    shadow('d1'),
    shadow('b'),
    shadow(name),
    name,
    'nowhere',
    '.',
    '..',
  ];
  const target = random(4) === 0 ? pick(others) : pick(targets);
  symlinkat(isFile ? `${target}/${name}` : target, fd, temporary);
}

/** Device nodes need root; others get EPERM, and one kind less. */
function special(fd, temporary) {
  const kinds = [
    [S_IFIFO, 0],
    [S_IFSOCK, 0],
    [S_IFCHR, 0x105], // /dev/zero, without end
    [S_IFCHR, 0x502], // /dev/ptmx, which opening changes
  ];
  const [type, device] = pick(kinds);
  mknodat(fd, temporary, type | 0o666, device);
}

function write(fd, name, content) {
  const file = openat(fd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o666);
  if (file < 0) return;
  fs.writeSync(file, content);
  fs.closeSync(file);
}

const folders = [];
let swaps = 0;
let running = true;

function turn() {
  if (!running) return;
  for (let step = 0; folders.length > 0 && step < STEPS_A_TURN; step++) {
    pick(folders).step();
    swaps++;
  }
  if (folders.length > 0) setImmediate(turn);
  else setTimeout(turn, 10);
}

process.on('message', (message) => {
  if (message === 'stop') {
    running = false;
    process.send({ swaps }, () => process.disconnect());
    return;
  }
  if (folders.length >= 6) {
    // The oldest of those that came later: a deleted one, most likely.
    const [left] = folders.splice(message.keep ?? 2, 1);
    for (const fd of left.handles.values()) fs.closeSync(fd);
  }
  try {
    folders.push(new Folder(message.folder));
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  process.send({ taken: message.folder });
});
process.on('disconnect', () => process.exit());
turn();
