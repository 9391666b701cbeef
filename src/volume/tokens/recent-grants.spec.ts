import { RecentGrants } from './recent-grants.js';

const NOW = 1_700_000_000_000;
const grantUntil = (ms: number) => ({ expiresAt: new Date(ms) });

describe('RecentGrants', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: NOW });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('knows a token until the moment it expires', () => {
    const grants = new RecentGrants();
    const grant = grantUntil(NOW + 1000);
    grants.add('token', grant);
    expect([grants.get('token'), grants.get('other')]).toEqual([grant, undefined]);
    jest.setSystemTime(NOW + 999);
    expect(grants.get('token')).toBe(grant);
    jest.setSystemTime(NOW + 1000);
    expect(grants.get('token')).toBeUndefined();
  });

  it('keeps the latest two thousand, and none of long tokens', () => {
    const grants = new RecentGrants();
    const grant = grantUntil(NOW + 1000);
    grants.add('x'.repeat(1025), grant);
    expect(grants.get('x'.repeat(1025))).toBeUndefined();
    for (let index = 0; index <= 2048; index++) grants.add(`token-${index}`, grant);
    expect(['token-0', 'token-1', 'token-2048'].map((token) => grants.get(token))).toEqual([
      undefined,
      grant,
      grant,
    ]);
  });
});
