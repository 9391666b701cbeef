import { addressOf, bind, cString } from './ffi.js';
import { functions } from './functions.js';

const PR_SET_NO_NEW_PRIVS = 38;
const F_SETFD = 2;

const execve = bind<[Buffer, Buffer, Buffer]>(
  'execve',
  'int execve(const void *path, const void *arguments, const void *environment)',
);

/** What this process executes from now on gains no rights by it: no set-id bits, no file capabilities (prctl(2)). */
export function dropNewPrivileges(): void {
  functions.prctl.sync(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/**
 * Becomes another program (execve(2)): returns only by throwing SystemError. The program gets the descriptors below
 * `descriptors`, standard ones included; Node marks all that it inherits as close-on-exec.
 */
export function execute(
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  descriptors = 3,
): never {
  for (let fd = 0; fd < descriptors; fd++) functions.fcntl.sync(fd, F_SETFD, 0);
  const path = cString(Buffer.from(program));
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value ?? ''}`);
  const [argv, argvStrings] = vector([program, ...args]);
  const [envp, envpStrings] = vector(words);
  execve.sync(path, argv, envp);
  throw new Error(`unreachable beyond ${argvStrings.length + envpStrings.length} strings`);
}

/** A NULL-terminated array of pointers, and what it points to, for the caller to keep. */
function vector(words: readonly string[]): [array: Buffer, strings: readonly Buffer[]] {
  const strings = words.map((word) => {
    const bytes = Buffer.from(word);
    const terminated = Buffer.allocUnsafeSlow(bytes.length + 1);
    bytes.copy(terminated);
    terminated[bytes.length] = 0;
    return terminated;
  });
  const array = Buffer.alloc((strings.length + 1) * 8);
  for (const [index, each] of strings.entries()) {
    array.writeBigUInt64LE(BigInt(addressOf(each)), index * 8);
  }
  return [array, strings];
}
