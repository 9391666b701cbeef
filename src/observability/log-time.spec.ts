import fc from 'fast-check';
import { timeMember } from './log-time.js';

describe('timeMember', () => {
  afterEach(() => jest.restoreAllMocks());

  it('is what Date says, whichever times come after each other', () => {
    const times = fc.array(fc.integer({ min: 1_000_000_000_000, max: 1_000_000_003_000 }));
    const property = fc.property(times, (given) => {
      for (const time of given) {
        jest.spyOn(Date, 'now').mockReturnValue(time);
        expect(timeMember()).toBe(`,"time":"${new Date(time).toISOString()}"`);
      }
    });
    fc.assert(property);
  });
});
