import { bytesToPath } from '../../grammar/path-bytes.js';
import type { Beneath } from '../../native/beneath.js';
import { Errno, isErrno } from '../../native/errno.js';
import type { RelPath } from '../ids/relpath.js';
import type { FileDialect } from './dialect.js';

const SLASH = 0x2f;

/**
 * Says where links lead, as managers are told. The kernel resolves each link beneath the vfolder, so what
 * comes back was really reached from inside, whatever happens to the directories meanwhile; links that lead
 * out, or in circles, have no answer: ''.
 */
export class LinkTargets {
  private constructor(
    private readonly vfolder: Beneath,
    private readonly directory: RelPath,
    /** Real host path that answers are relative to. */
    private readonly base: Buffer,
    private readonly absolute: boolean,
  ) {}

  static async of(
    vfolder: Beneath,
    directory: RelPath,
    { linkTargets }: FileDialect,
  ): Promise<LinkTargets> {
    const absolute = linkTargets === 'from-vfolder';
    const base = await vfolder.realPath(absolute ? undefined : directory.toBytes());
    return new LinkTargets(vfolder, directory, base, absolute);
  }

  /** `target` is the text of the link `name` in the listed directory. */
  async resolve(name: Buffer, target: Buffer): Promise<string> {
    try {
      const real = await this.realPath(name, target);
      return real === undefined ? '' : this.relative(real);
    } catch (error) {
      if (isErrno(error)) return '';
      throw error;
    }
  }

  private async realPath(name: Buffer, target: Buffer): Promise<Buffer | undefined> {
    try {
      return await this.vfolder.realPath(this.below(name));
    } catch (error) {
      if (!isErrno(error, Errno.ENOENT)) throw error;
      return await this.danglingPath(target);
    }
  }

  /** A link to what is not there is told by where it would be: its last component in a directory that is. */
  private async danglingPath(target: Buffer): Promise<Buffer | undefined> {
    const cut = target.lastIndexOf(SLASH);
    const last = target.subarray(cut + 1);
    if (target[0] === SLASH || last.length === 0 || isDots(last)) return undefined;
    const directory = cut < 0 ? this.directory.toBytes() : this.below(target.subarray(0, cut));
    const parent = await this.vfolder.realPath(directory);
    const missing = join(parent, last);
    return (await this.isThere(cut < 0 ? this.below(last) : join(directory, last)))
      ? undefined
      : missing;
  }

  /** A link in the chain, then: it is that one which dangles, and not here. */
  private async isThere(path: Buffer): Promise<boolean> {
    try {
      await this.vfolder.lstat(path);
      return true;
    } catch (error) {
      if (isErrno(error, Errno.ENOENT)) return false;
      throw error;
    }
  }

  private below(path: Buffer): Buffer {
    return this.directory.isRoot ? path : join(this.directory.toBytes(), path);
  }

  private relative(real: Buffer): string {
    if (real.equals(this.base)) return this.absolute ? '/' : '.';
    const inside =
      real.length > this.base.length &&
      real[this.base.length] === SLASH &&
      real.subarray(0, this.base.length).equals(this.base);
    if (!inside) return '';
    return bytesToPath(real.subarray(this.base.length + (this.absolute ? 0 : 1)));
  }
}

function join(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, Buffer.of(SLASH), name]);
}

function isDots(name: Buffer): boolean {
  return name.equals(Buffer.from('.')) || name.equals(Buffer.from('..'));
}
