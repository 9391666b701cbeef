import { BackendHost, type BackendUnderTest } from './suite/backend-under-test.js';
import { describeChanging } from './suite/changing.js';
import { describeHostility } from './suite/hostility.js';
import { describeReading } from './suite/reading.js';
import { describeStrategies } from './suite/strategies.js';
import { describeTasks } from './suite/tasks.js';

const GROUPS = {
  strategies: describeStrategies,
  'trees that are read': describeReading,
  'trees that are changed': describeChanging,
  'trees under attack': describeHostility,
  'tree tasks': describeTasks,
};
type Group = keyof typeof GROUPS;

/**
 * The promises of `src/backend/contract`, tried on one backend. New behaviour of a backend enters here first. A
 * backend that leaves trees to `posix`, on a rig where every test is slow, may name the groups that concern it.
 */
export function describeBackend(
  subject: BackendUnderTest,
  groups = Object.keys(GROUPS) as readonly Group[],
): void {
  describe(`backend ${subject.title ?? subject.name}`, () => {
    const host = new BackendHost(subject);
    beforeAll(() => host.start());
    afterAll(() => host.stop());

    for (const group of groups) describe(group, () => GROUPS[group](host));
  });
}
