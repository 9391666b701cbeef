import fs from 'node:fs';
import type { ProjectStatus } from '../../src/backend/contract/volume-agent.js';
import type * as errnoModule from '../../src/native/errno.js';
import type * as ffiModule from '../../src/native/ffi.js';
import { built } from '../support/built.js';
import { makeAgent, MIB, Projects, ScratchVolume } from './support/guest.js';

/** Of the filesystem, as open(2), ioctl(2), fsetxattr(2), fsync(2) and quotactl(2) name them. */
const FAILURES = ['EIO', 'ENOSPC', 'EDQUOT', 'EMFILE'] as const;
const FIRST_ID = 63_000;
const IDS = 200;
const BEFORE = { hardBytes: 8 * MIB, hardInodes: 50 };
const AFTER = { hardBytes: 16 * MIB, hardInodes: 100 };
const NONE = { hardBytes: null, hardInodes: null };

type Agent = Awaited<ReturnType<typeof makeAgent>>;

let volume: ScratchVolume;
let agent: Agent;
let projects: Projects;
let ffi: typeof ffiModule;
let errnos: (typeof errnoModule)['Errno'];

beforeAll(async () => {
  projects = await Projects.load();
  ffi = await built<typeof ffiModule>('native/ffi.js');
  ({ Errno: errnos } = await built<typeof errnoModule>('native/errno.js'));
});
beforeEach(async () => {
  volume = new ScratchVolume('v', {
    projectIdMin: FIRST_ID,
    projectIdMax: FIRST_ID + IDS - 1,
  });
  agent = await makeAgent(volume.settings);
});
afterEach(() => {
  ffi.injectFaults(undefined);
  volume.dispose();
});

const limitsOf = (status: ProjectStatus | null) =>
  status && { hardBytes: status.hardBytes, hardInodes: status.hardInodes };

/** What is limited without any directory to carry it. */
function orphans(directories: readonly string[]): number[] {
  const carried = new Set(directories.map((name) => projects.idOf(volume.at(name))));
  const ids = Array.from({ length: IDS }, (_, n) => FIRST_ID + n);
  return ids.filter((id) => {
    const quota = projects.quota(id);
    return !carried.has(id) && (quota?.hardBytes ?? quota?.hardInodes ?? null) !== null;
  });
}

/** Limits outlive their directory, and the next case has the same ids. */
async function discard(path: Buffer): Promise<void> {
  await agent.releaseProject('v', path);
  fs.rmdirSync(volume.at(path.toString()));
}

const descriptors = (): number => fs.readdirSync('/proc/self/fd').length;

/** Runs `work` with the `nth` system call failing; tells whether there were so many, and how it ended. */
async function failing(nth: number, errno: number, work: () => Promise<unknown>) {
  let made = 0;
  let struck = '';
  ffi.injectFaults((syscall) => {
    // A descriptor is gone whatever close(2) answers.
    if (syscall === 'close' || ++made !== nth) return undefined;
    struck = syscall;
    return errno;
  });
  try {
    await work();
    return { struck, error: undefined };
  } catch (error) {
    return { struck, error: error as NodeJS.ErrnoException };
  } finally {
    ffi.injectFaults(undefined);
  }
}

interface Operation {
  readonly name: string;
  readonly prepare: (path: Buffer) => Promise<unknown>;
  readonly run: (path: Buffer) => Promise<unknown>;
  /** What may be found after it failed, and what must be after it was repeated. */
  readonly between: readonly unknown[];
  readonly repeated: unknown;
}

const OPERATIONS: readonly Operation[] = [
  {
    name: 'making a project',
    prepare: () => Promise.resolve(),
    run: (path) => agent.initialiseProject('v', path, BEFORE),
    between: [null, BEFORE],
    repeated: BEFORE,
  },
  {
    name: 'limiting a project',
    prepare: (path) => agent.initialiseProject('v', path, BEFORE),
    run: (path) => agent.limitProject('v', path, AFTER),
    between: [BEFORE, AFTER],
    repeated: AFTER,
  },
  {
    name: 'describing a project',
    prepare: (path) => agent.initialiseProject('v', path, BEFORE),
    run: (path) => agent.describeProject('v', path),
    between: [BEFORE],
    repeated: BEFORE,
  },
  {
    name: 'releasing a project',
    prepare: (path) => agent.initialiseProject('v', path, BEFORE),
    run: (path) => agent.releaseProject('v', path),
    between: [BEFORE, NONE],
    repeated: NONE,
  },
];

describe.each(OPERATIONS)('$name', ({ prepare, run, between, repeated }) => {
  it('is answered, and can be repeated, whichever system call fails', async () => {
    const open = descriptors();
    const struck = new Set<string>();
    for (let nth = 1; ; nth++) {
      const path = volume.mkdir(`d${nth}`);
      await prepare(path);
      const name = FAILURES[nth % FAILURES.length]!;
      const fault = await failing(nth, errnos[name], () => run(path));
      struck.add(fault.struck);
      const where = `${fault.struck}, call ${nth}`;
      if (fault.error) {
        expect([where, [name, 'UNAVAILABLE']]).toEqual([
          where,
          expect.arrayContaining([fault.error.code]) as unknown,
        ]);
      }
      if (fault.struck !== '') {
        const found = limitsOf(await agent.describeProject('v', path));
        expect([where, between]).toEqual([where, expect.arrayContaining([found]) as unknown]);
        expect([where, orphans(fs.readdirSync(volume.path))]).toEqual([where, []]);
        await run(path);
      }
      const now = limitsOf(await agent.describeProject('v', path));
      expect([where, now]).toEqual([where, repeated]);
      await discard(path);
      if (fault.struck === '') break;
    }
    expect([...struck]).toContain('quotactl');
    expect(descriptors()).toBe(open);
  });

  it('does not notice an interruption', async () => {
    for (let nth = 1; ; nth++) {
      const path = volume.mkdir(`d${nth}`);
      await prepare(path);
      const fault = await failing(nth, errnos.EINTR, () => run(path));
      expect([fault.struck, fault.error]).toEqual([fault.struck, undefined]);
      expect(limitsOf(await agent.describeProject('v', path))).toEqual(repeated);
      await discard(path);
      if (fault.struck === '') break;
    }
  });
});
