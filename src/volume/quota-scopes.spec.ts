import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { StorageError } from '../errors/storage-error.js';
import { Errno, SystemError } from '../native/errno.js';
import { injectFaults } from '../native/ffi.js';
import { DomainRig, PlainQuota, SCOPE } from './testing/domain-rig.js';

class WatchedQuota extends PlainQuota {
  readonly calls: [string, number | null][] = [];
  failure: Error | undefined;

  override async initialiseScope(scopePath: Buffer, limitBytes: number | null): Promise<void> {
    await sleep(20);
    if (this.failure) throw this.failure;
    this.calls.push([`initialise ${scopePath.toString()}`, limitBytes]);
  }

  override async updateScope(scopePath: Buffer, limitBytes: number | null): Promise<void> {
    this.calls.push([`update ${scopePath.toString()}`, limitBytes]);
    await Promise.resolve();
  }
}

describe('QuotaScopes', () => {
  let quota: WatchedQuota;
  let rig: DomainRig;
  let directory: string;

  beforeEach(() => {
    quota = new WatchedQuota();
    rig = new DomainRig({}, quota);
    directory = path.join(rig.path, SCOPE.pathname);
  });
  afterEach(() => {
    injectFaults(undefined);
    rig.remove();
  });

  it('makes the directory, its limit, and the private directories inside', async () => {
    const { quotaScopes } = await rig.worker();
    await quotaScopes.create('local', SCOPE, 1024);
    expect(quota.calls).toEqual([[`initialise ${SCOPE.pathname}`, 1024]]);
    expect(fs.readdirSync(directory).toSorted()).toEqual(['.staging', '.trash']);
    expect(fs.statSync(path.join(directory, '.trash')).mode & 0o777).toBe(0o700);
  });

  it('answers ALREADY_EXISTS the second time (M19)', async () => {
    const { quotaScopes } = await rig.worker();
    await quotaScopes.create('local', SCOPE, null);
    await expect(quotaScopes.create('local', SCOPE, null)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { subject: 'quota-scope' },
    });
  });

  it('answers ALREADY_EXISTS for a scope of the original that holds vfolders', async () => {
    fs.mkdirSync(path.join(directory, '9f'), { recursive: true });
    const { quotaScopes } = await rig.worker();
    await expect(quotaScopes.create('local', SCOPE, null)).rejects.toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    expect(fs.existsSync(path.join(directory, '.trash'))).toBe(true);
  });

  it('is made once when several workers create it at the same moment', async () => {
    const workers = await Promise.all([rig.worker(), rig.worker(), rig.worker(), rig.worker()]);
    const outcomes = await Promise.allSettled(
      workers.map(({ quotaScopes }) => quotaScopes.create('local', SCOPE, 5)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject({ code: 'ALREADY_EXISTS' });
      }
    }
    expect(quota.calls).toHaveLength(1);
  });

  it('finishes a creation that was cut off', async () => {
    fs.mkdirSync(path.join(directory, '.staging'), { recursive: true });
    const { quotaScopes } = await rig.worker();
    await quotaScopes.create('local', SCOPE, 7);
    expect(quota.calls).toEqual([[`initialise ${SCOPE.pathname}`, 7]]);
    expect(fs.existsSync(path.join(directory, '.trash'))).toBe(true);
  });

  it.each([null, 7])('sets the limit of an empty scope of the original to %p', async (limit) => {
    fs.mkdirSync(directory);
    const { quotaScopes } = await rig.worker();
    await quotaScopes.update('local', SCOPE, limit);
    expect(quota.calls.at(-1)).toEqual([`update ${SCOPE.pathname}`, limit]);
  });

  it('leaves a scope alone that another worker finished while this one failed', async () => {
    class Overtaken extends WatchedQuota {
      override async initialiseScope(): Promise<void> {
        fs.mkdirSync(path.join(directory, '.trash'));
        throw new SystemError(Errno.EIO, 'quotactl');
      }
    }
    rig.remove();
    rig = new DomainRig({}, new Overtaken());
    directory = path.join(rig.path, SCOPE.pathname);
    const { quotaScopes } = await rig.worker();
    const failed = quotaScopes.create('local', SCOPE, 7);
    await expect(failed).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(fs.readdirSync(directory)).toEqual(['.trash']);
  });

  it('makes the scope that another worker gave up while this one was to finish it', async () => {
    class GivenUp extends WatchedQuota {
      override async initialiseScope(scopePath: Buffer, limit: number | null): Promise<void> {
        if (this.calls.push(['begun', limit]) > 1) return;
        fs.rmdirSync(directory);
        throw new SystemError(Errno.ENOENT, `openat2 ${scopePath.length}`);
      }
    }
    rig.remove();
    rig = new DomainRig({}, new GivenUp());
    directory = path.join(rig.path, SCOPE.pathname);
    fs.mkdirSync(directory);
    const { quotaScopes } = await rig.worker();
    await quotaScopes.create('local', SCOPE, 7);
    expect(fs.existsSync(path.join(directory, '.trash'))).toBe(true);
  });

  it('leaves nothing behind when the backend refuses the limit', async () => {
    quota.failure = new StorageError('INVALID_ARGUMENT', 'odd', {
      subject: 'quota-scope',
      reason: 'quota-config',
    });
    const { quotaScopes } = await rig.worker();
    await expect(quotaScopes.create('local', SCOPE, 7)).rejects.toBe(quota.failure);
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('makes the scope although a full quota cannot take the private directories', async () => {
    const { quotaScopes } = await rig.worker();
    let made = 0;
    injectFaults((syscall) => (syscall === 'mkdirat' && made++ > 0 ? Errno.EDQUOT : undefined));
    await quotaScopes.create('local', SCOPE, 0);
    expect(fs.readdirSync(directory)).toEqual([]);
  });

  it.each([-1, 1.5, Number.NaN])('refuses a limit of %p', async (limit) => {
    const { quotaScopes } = await rig.worker();
    await expect(quotaScopes.update('local', SCOPE, limit)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { subject: 'quota-scope', reason: 'quota-config' },
    });
  });

  it('describes, updates and unsets; a missing scope is made by update only', async () => {
    const { quotaScopes } = await rig.worker();
    const missing = { code: 'NOT_FOUND', details: { subject: 'quota-scope' } };
    await expect(quotaScopes.describe('local', SCOPE)).rejects.toMatchObject(missing);
    await expect(quotaScopes.unset('local', SCOPE)).rejects.toMatchObject(missing);
    await quotaScopes.update('local', SCOPE, 1);
    await quotaScopes.update('local', SCOPE, 2);
    await quotaScopes.unset('local', SCOPE);
    await quotaScopes.unset('local', SCOPE);
    expect(quota.calls.map(([, limit]) => limit)).toEqual([1, 2, null, null]);
    expect(await quotaScopes.describe('local', SCOPE)).toEqual({
      usedBytes: null,
      limitBytes: null,
    });
  });

  it('says what kept it from working, without host paths (S14)', async () => {
    const { quotaScopes } = await rig.worker();
    injectFaults((syscall) => (syscall === 'mkdirat' ? Errno.EACCES : undefined));
    const error: unknown = await quotaScopes.create('local', SCOPE, 1).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', details: { errno: 13 } });
    expect(JSON.stringify(error) + String(error)).not.toContain(rig.path);
    expect((error as Error).cause).toBeInstanceOf(SystemError);
  });

  it('knows unknown volumes', async () => {
    const { quotaScopes } = await rig.worker();
    await expect(quotaScopes.describe('nope', SCOPE)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { subject: 'volume', volume: 'nope' },
    });
  });
});
