import fs from 'node:fs';
import type * as callsModule from '../../../src/native/calls.js';
import { built } from '../../support/built.js';

/** Names that a tenant may give a file and that careless code trips over. */
export const ODD_NAMES: readonly Buffer[] = [
  Buffer.from('with\nnewline'),
  Buffer.from(' space '),
  Buffer.from('-rf'),
  Buffer.from('...'),
  Buffer.from([0xff, 0xfe, 0x80]),
  Buffer.from('x'.repeat(255)),
  Buffer.from('é'.repeat(127)),
  Buffer.from('back\\slash"quote'),
];

export function makeOddNames(directory: string): void {
  for (const name of ODD_NAMES) {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${directory}/`), name]), name);
  }
}

export function sortedNames(names: readonly Buffer[]): string[] {
  return names.map((name) => name.toString('hex')).toSorted();
}

/** `levels` directories, one in the other below `top`, and a link in the deepest; deeper than Node's own calls reach. */
export async function makeDeepTree(top: string, levels: number): Promise<void> {
  const { sync } = await built<typeof callsModule>('native/calls.js');
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY;
  const name = Buffer.from('d');
  fs.mkdirSync(top);
  let fd = fs.openSync(top, flags);
  for (let level = 1; level < levels; level++) {
    sync.mkdirat(fd, name, 0o755);
    const below = sync.openat(fd, name, flags);
    fs.closeSync(fd);
    fd = below;
  }
  sync.symlinkat(Buffer.from('target'), fd, Buffer.from('l'));
  fs.closeSync(fd);
}

/** `directories` of `files` empty files each. */
export function makeWideTree(top: string, directories: number, files: number): void {
  for (let index = 0; index < directories; index++) {
    fs.mkdirSync(`${top}/${index}`, { recursive: true });
    for (let file = 0; file < files; file++) fs.writeFileSync(`${top}/${index}/${file}`, '');
  }
}

/** Descriptors of this process that lead to somewhere on the volume. */
export function descriptorsBelow(mountPath: string): string[] {
  return fs
    .readdirSync('/proc/self/fd')
    .map((fd) => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`);
      } catch {
        return '';
      }
    })
    .filter((target) => target.startsWith(mountPath));
}
