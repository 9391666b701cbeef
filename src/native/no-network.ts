import { addressOf } from './ffi.js';
import { functions } from './functions.js';

const PR_SET_SECCOMP = 22;
const SECCOMP_MODE_FILTER = 2;

/** AUDIT_ARCH_*, and the number of socket(2) there; x86-64's second table of numbers begins at this bit. */
const ARCHITECTURES: Readonly<Record<string, { audit: number; socket: number }>> = {
  x64: { audit: 0xc000003e, socket: 41 },
  arm64: { audit: 0xc00000b7, socket: 198 },
};
const X32_BIT = 0x40000000;
/** Can open sockets too; the number is the same everywhere. */
const SYS_io_uring_setup = 425;
const AF_UNIX = 1;
const EACCES = 13;

/** Offsets in struct seccomp_data. */
const NUMBER = 0;
const ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;

/** Opcodes of classic BPF (linux/filter.h). */
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_AT_LEAST = 0x35;
const RETURN = 0x06;
const ALLOW = 0x7fff0000;
const REFUSE = 0x00050000 | EACCES;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, value: number];

/**
 * From now on this thread, and what it executes, opens no sockets but local ones (seccomp(2)): EACCES. For good.
 * Throws SystemError; needs `dropNewPrivileges` before. Throws Error on an architecture whose numbers are not known.
 */
export function refuseNetwork(): void {
  const architecture = ARCHITECTURES[process.arch];
  if (architecture === undefined) throw new Error(`no system call numbers for ${process.arch}`);
  const instructions: readonly Instruction[] = [
    [LOAD, 0, 0, ARCHITECTURE],
    [JUMP_EQUAL, 0, 7, architecture.audit],
    [LOAD, 0, 0, NUMBER],
    [JUMP_AT_LEAST, 5, 0, X32_BIT],
    [JUMP_EQUAL, 4, 0, SYS_io_uring_setup],
    [JUMP_EQUAL, 0, 2, architecture.socket],
    [LOAD, 0, 0, FIRST_ARGUMENT],
    [JUMP_EQUAL, 0, 1, AF_UNIX],
    [RETURN, 0, 0, ALLOW],
    [RETURN, 0, 0, REFUSE],
  ];
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
