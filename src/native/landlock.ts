import { bind } from './ffi.js';
import { Errno, isErrno } from './errno.js';

/** Numbers of landlock(7) system calls, the same on every architecture. */
const SYS_landlock_create_ruleset = 444;
const SYS_landlock_add_rule = 445;
const SYS_landlock_restrict_self = 446;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

/** Rights on files and directories (linux/landlock.h), each with the ABI it came with. */
const RIGHTS = {
  execute: [0, 1],
  writeFile: [1, 1],
  readFile: [2, 1],
  readDirectory: [3, 1],
  removeDirectory: [4, 1],
  removeFile: [5, 1],
  makeCharacterDevice: [6, 1],
  makeDirectory: [7, 1],
  makeFile: [8, 1],
  makeSocket: [9, 1],
  makePipe: [10, 1],
  makeBlockDevice: [11, 1],
  makeLink: [12, 1],
  moveOrLink: [13, 2],
  truncate: [14, 3],
} as const satisfies Record<string, readonly [bit: number, abi: number]>;

export type FileRight = keyof typeof RIGHTS;

/** What may be done in a directory, given by descriptor, and all that lies beneath it. */
export interface BeneathRule {
  readonly fd: number;
  readonly rights: readonly FileRight[];
}

const versionOf = bind<[number, number, number, number]>(
  'landlock_create_ruleset',
  'long syscall(long number, long attributes, size_t size, unsigned int flags)',
);
const createRuleset = bind<[number, Buffer, number, number]>(
  'landlock_create_ruleset',
  'long syscall(long number, const void *attributes, size_t size, unsigned int flags)',
);
const addRule = bind<[number, number, number, Buffer, number]>(
  'landlock_add_rule',
  'long syscall(long number, int ruleset, int type, const void *rule, unsigned int flags)',
);
const restrictSelf = bind<[number, number, number]>(
  'landlock_restrict_self',
  'long syscall(long number, int ruleset, unsigned int flags)',
);

/** The version of Landlock that this kernel has; 0 for none, or for one that is switched off. */
export function landlockVersion(): number {
  try {
    return versionOf.sync(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
  } catch (error) {
    if (isErrno(error, Errno.ENOSYS, Errno.EOPNOTSUPP, Errno.EPERM)) return 0;
    throw error;
  }
}

/**
 * From now on this thread, and what it executes, may open, make and remove files only as the rules say, whoever it
 * is; looking at a file's attributes stays free. For good. Throws SystemError; needs `dropNewPrivileges` before.
 */
export function restrictFiles(rules: readonly BeneathRule[]): void {
  const version = landlockVersion();
  const handled = Buffer.alloc(8);
  handled.writeBigUInt64LE(maskOf(Object.keys(RIGHTS) as FileRight[], version));
  const ruleset = createRuleset.sync(SYS_landlock_create_ruleset, handled, handled.length, 0);
  for (const { fd, rights } of rules) {
    // struct landlock_path_beneath_attr, packed.
    const rule = Buffer.alloc(12);
    rule.writeBigUInt64LE(maskOf(rights, version));
    rule.writeInt32LE(fd, 8);
    addRule.sync(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, rule, 0);
  }
  restrictSelf.sync(SYS_landlock_restrict_self, ruleset, 0);
}

function maskOf(rights: readonly FileRight[], version: number): bigint {
  return rights.reduce((mask, right) => {
    const [bit, abi] = RIGHTS[right];
    return abi <= version ? mask | (1n << BigInt(bit)) : mask;
  }, 0n);
}
