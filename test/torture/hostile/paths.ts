import type { Random } from '../random.js';

const DIRECTORIES = ['d0', 'd1', 'd0/b', 'd1/b', 'd0/b/c', 'd1/b/c'];
const FILES = ['f0', 'f1'];
const NEW_NAMES = ['n0', 'n1', 'n2', 'n3', 'n0/m0', 'n1/m1/o1'];
/** What links are called while they stand beside what they replace. */
const LINKS = ['.~d0', '.~d1', '.~d0/b', '.~d1/b/c', 'd0/.~b', 'd0/b/.~c'];

/** Client paths, every component of which may be anything by the time it is resolved. */
export class HostilePaths {
  constructor(private readonly random: Random) {}

  directory(): string {
    const { random } = this;
    if (random.chance(0.05)) return '.';
    return random.pick(random.chance(0.15) ? LINKS : DIRECTORIES);
  }

  file(): string {
    return join(this.random.chance(0.1) ? '' : this.directory(), this.random.pick(FILES));
  }

  fresh(): string {
    return join(this.directory(), this.random.pick(NEW_NAMES));
  }

  any(): string {
    return this.random.pick([() => this.directory(), () => this.file(), () => this.fresh()])();
  }

  several(count: number, make: () => string): string[] {
    return Array.from({ length: count }, make);
  }
}

function join(directory: string, name: string): string {
  return directory === '' || directory === '.' ? name : `${directory}/${name}`;
}
