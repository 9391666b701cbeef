import { BackendHost, type BackendUnderTest } from './suite/backend-under-test.js';
import { describeChanging } from './suite/changing.js';
import { describeHostility } from './suite/hostility.js';
import { describeReading } from './suite/reading.js';
import { describeStrategies } from './suite/strategies.js';
import { describeTasks } from './suite/tasks.js';

/** The promises of `src/backend/contract`, tried on one backend. New behaviour of a backend enters here first. */
export function describeBackend(subject: BackendUnderTest): void {
  describe(`backend ${subject.name}`, () => {
    const host = new BackendHost(subject);
    beforeAll(() => host.start());
    afterAll(() => host.stop());

    describe('strategies', () => describeStrategies(host));
    describe('trees that are read', () => describeReading(host));
    describe('trees that are changed', () => describeChanging(host));
    describe('trees under attack', () => describeHostility(host));
    describe('tree tasks', () => describeTasks(host));
  });
}
