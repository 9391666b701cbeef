import { AuthFailures } from './auth-failures.js';

let now = 0;
const failures = () => new AuthFailures({ burst: 3, windowMs: 60_000, now: () => now });
const fail = (counter: AuthFailures, address: string, times: number) =>
  Array.from({ length: times }, () => counter.failed(address));

beforeEach(() => (now = 0));

describe('AuthFailures', () => {
  it('bears a burst, then says when to come back', () => {
    const counter = failures();
    expect(fail(counter, '10.0.0.1', 4)).toEqual([undefined, undefined, undefined, 20]);
    expect(counter.retryAfter('10.0.0.1')).toBe(20);
  });

  it('counts no further while it refuses, so that waiting helps', () => {
    const counter = failures();
    fail(counter, '10.0.0.1', 100);
    now = 20_001;
    expect(counter.retryAfter('10.0.0.1')).toBeUndefined();
    expect(fail(counter, '10.0.0.1', 2)).toEqual([undefined, 20]);
    now += 60_000;
    expect(fail(counter, '10.0.0.1', 3)).toEqual([undefined, undefined, undefined]);
  });

  it('keeps clients apart, and an IPv6 network of a host together', () => {
    const counter = failures();
    fail(counter, '10.0.0.1', 9);
    expect(counter.retryAfter('10.0.0.2')).toBeUndefined();
    expect(counter.retryAfter('::ffff:10.0.0.1')).toBe(20);
    fail(counter, '2001:db8:0:1::1', 2);
    fail(counter, '2001:0db8:0000:0001:ffff::2', 2);
    expect(counter.retryAfter('2001:db8::1:0:0:0:7')).toBe(20);
    expect(counter.retryAfter('2001:db8:0:2::1')).toBeUndefined();
  });

  it('lets those in who were let in before', () => {
    const counter = failures();
    counter.succeeded('10.0.0.1');
    fail(counter, '10.0.0.1', 9);
    expect(counter.retryAfter('10.0.0.1')).toBeUndefined();
    expect(counter.failed('10.0.0.1')).toBe(20);
  });

  it('remembers a bounded number of clients, the latest', () => {
    const counter = failures();
    fail(counter, '10.0.0.1', 9);
    for (let n = 0; n < 20_000; n++) {
      counter.failed(`10.1.${n >> 8}.${n & 255}`);
      if (n % 5000 === 0) counter.failed('10.0.0.1');
    }
    expect(counter.size).toBe(16_384);
    expect(counter.retryAfter('10.0.0.1')).toBe(20);
  });
});
