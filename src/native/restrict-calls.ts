import { addressOf } from './ffi.js';
import { functions } from './functions.js';

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;

/** Numbers that are the same everywhere. io_uring can open sockets, and do most of the others, too. */
const SYS_io_uring_setup = 425;
const SYS_fchmodat2 = 452;
const SYS_setxattrat = 463;
const SYS_removexattrat = 466;
const SYS_file_setattr = 469;

interface Numbers {
  /** AUDIT_ARCH_* */
  readonly audit: number;
  readonly socket: number;
  readonly truncate: number;
  readonly utimensat: number;
  /** chmod, chown, utime, setxattr, removexattr and their like, which are given a name. */
  readonly setAttributes: readonly number[];
}

const ARCHITECTURES: Readonly<Record<string, Numbers>> = {
  x64: {
    audit: 0xc000003e,
    socket: 41,
    truncate: 76,
    utimensat: 280,
    setAttributes: [90, 92, 94, 132, 188, 189, 197, 198, 235, 260, 261, 268],
  },
  arm64: {
    audit: 0xc00000b7,
    socket: 198,
    truncate: 45,
    utimensat: 88,
    setAttributes: [5, 6, 14, 15, 53, 54],
  },
};
/** x86-64's second table of numbers begins at this bit. */
const X32_BIT = 0x40000000;
const AF_UNIX = 1;
const EACCES = 13;

/** Offsets in struct seccomp_data; arguments are 64 bits wide, little-endian. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const SECOND_ARGUMENT = 24;

/** Opcodes of classic BPF (linux/filter.h). */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const REFUSE = ERRNO | EACCES;
/** The call is not made, and returns 0. */
const PRETEND = ERRNO;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/**
 * What Landlock leaves open, closed by seccomp(2), for this thread and what it executes, for good:
 *
 * - no sockets but local ones, and no truncation by name: EACCES;
 * - attributes (mode, owner, times, extended ones) are set by descriptor only. Set by name, a link on the way would
 *   lead to anybody's file: such a call does nothing and reports success, so that a program that copies goes on,
 *   and whoever started it sets what is missing.
 *
 * Throws SystemError; needs `dropNewPrivileges` before. Throws Error on an architecture whose numbers are not known.
 */
export function restrictCalls(): void {
  const numbers = ARCHITECTURES[process.arch];
  if (numbers === undefined) throw new Error(`no system call numbers for ${process.arch}`);
  const instructions = filterOf(numbers);
  const filter = Buffer.allocUnsafeSlow(instructions.length * 8);
  for (const [index, [code, ifTrue, ifFalse, value]] of instructions.entries()) {
    filter.writeUInt16LE(code, index * 8);
    filter.writeUInt8(ifTrue, index * 8 + 2);
    filter.writeUInt8(ifFalse, index * 8 + 3);
    filter.writeUInt32LE(value >>> 0, index * 8 + 4);
  }
  // struct sock_fprog
  const program = Buffer.alloc(16);
  program.writeUInt16LE(instructions.length);
  program.writeBigUInt64LE(BigInt(addressOf(filter)), 8);
  functions.prctl.sync(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, addressOf(program), 0, 0);
}

function filterOf({ audit, socket, truncate, utimensat, setAttributes }: Numbers): Instruction[] {
  const pretended = [
    ...setAttributes,
    SYS_fchmodat2,
    SYS_setxattrat,
    SYS_removexattrat,
    SYS_file_setattr,
  ];
  const answer = (number: number, action: number): Instruction[] => [
    [JUMP_EQUAL, 0, 1, number],
    [RETURN, 0, 0, action],
  ];
  return [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 1, 0, audit],
    [RETURN, 0, 0, REFUSE],
    [LOAD, 0, 0, NUMBER],
    [JUMP_AT_LEAST, 0, 1, X32_BIT],
    [RETURN, 0, 0, REFUSE],
    ...answer(SYS_io_uring_setup, REFUSE),
    ...answer(truncate, REFUSE),
    ...pretended.flatMap((number) => answer(number, PRETEND)),
    // Without a name it is futimens(3).
    [JUMP_EQUAL, 0, 6, utimensat],
    [LOAD, 0, 0, SECOND_ARGUMENT],
    [JUMP_EQUAL, 0, 3, 0],
    [LOAD, 0, 0, SECOND_ARGUMENT + 4],
    [JUMP_EQUAL, 0, 1, 0],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, PRETEND],
    [JUMP_EQUAL, 0, 3, socket],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [JUMP_EQUAL, 1, 0, AF_UNIX],
    [RETURN, 0, 0, REFUSE],
    [RETURN, 0, 0, ALLOW],
  ];
}
