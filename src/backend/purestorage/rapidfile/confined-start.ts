import type { BeneathRule, FileRight } from '../../../native/landlock.js';

/** What `confined-main.js` is told, as JSON in its first argument; the others are the program's. */
export interface ConfinedStart {
  /** The process that started it: if that is gone already, nothing is done. */
  readonly parent: number;
  readonly program: string;
  /** The program's descriptors are 0 up to this, without it. */
  readonly descriptors: number;
  /** Undefined: only what makes the program die with the proxy. */
  readonly confinement?: {
    /** Descriptors of the program itself: 3, 4 and so on. */
    readonly trees: readonly BeneathRule[];
    /** Files and directories of this host that programs read and execute; those that are missing are passed by. */
    readonly readable: readonly string[];
    /** Devices that they may write to as well. */
    readonly writable: readonly string[];
  };
}

/** Enough to list a tree and read its files. */
export const READ: readonly FileRight[] = ['readFile', 'readDirectory'];
/** Enough to fill a tree with files, directories and links; no pipes, sockets or devices. */
export const FILL: readonly FileRight[] = [
  ...READ,
  'writeFile',
  'truncate',
  'makeFile',
  'makeDirectory',
  'makeLink',
  'moveOrLink',
  'removeFile',
  'removeDirectory',
];
/** Enough to list a tree and remove what is in it. */
export const EMPTY: readonly FileRight[] = ['readDirectory', 'removeFile', 'removeDirectory'];
