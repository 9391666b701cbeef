import { describeTarget, targetsFromKeys, ValkeyConfigError } from './valkey-target.js';

const read = (keys: Record<string, string>) => targetsFromKeys(new Map(Object.entries(keys)));

describe('targetsFromKeys', () => {
  it('finds nothing without an address', () => {
    expect(read({})).toBeNull();
    expect(read({ password: 'alone' })).toBeNull();
  });

  it('reads a server, its password and the time for a command', () => {
    const targets = read({ addr: '10.0.0.1:6379', password: 'p', request_timeout: '2.5' });
    expect(targets!.uploads).toEqual({
      address: { host: '10.0.0.1', port: 6379 },
      sentinels: [],
      serviceName: null,
      username: null,
      password: 'p',
      sentinelPassword: null,
      tls: 'off',
      requestTimeoutMs: 2_500,
    });
    expect(targets!.events).toEqual(targets!.uploads);
  });

  it('prefers sentinels to an address', () => {
    const keys = { addr: 'old:6379', sentinel: 'a:26379,b:26380', service_name: 'site' };
    const { statistics } = read(keys)!;
    expect(statistics.address).toBeNull();
    expect(describeTarget(statistics)).toBe('site by sentinels a:26379, b:26380');
  });

  it.each([
    [{ use_tls: 'false' }, 'off'],
    [{ use_tls: 'true' }, 'verified'],
    [{ use_tls: 'true', tls_skip_verify: 'true' }, 'unverified'],
  ])('reads %j as TLS %s', (keys, tls) => {
    expect(read({ addr: 'a:1', ...keys })!.events.tls).toBe(tls);
  });

  it('lets another server have the events, with the password of the first one unless it has its own', () => {
    const keys = { addr: 'a:1', password: 'p', 'override_configs/stream/addr': 'b:2' };
    const targets = read(keys)!;
    expect(targets.events).toMatchObject({ address: { host: 'b', port: 2 }, password: 'p' });
    expect(targets.uploads.address).toEqual({ host: 'a', port: 1 });
    const own = read({ ...keys, 'override_configs/stream/password': 'q' })!;
    expect(own.events.password).toBe('q');
  });

  it.each([
    [{ addr: 'no-port' }, 'config/redis/addr'],
    [{ sentinel: 'a:1' }, 'config/redis/service_name'],
    [{ addr: 'a:1', use_tls: 'maybe' }, 'config/redis/use_tls'],
  ])('refuses %j, naming the key', (keys, name) => {
    expect(() => read(keys as Record<string, string>)).toThrow(ValkeyConfigError);
    expect(() => read(keys as Record<string, string>)).toThrow(name);
  });
});
