import {
  existsSync,
  lstatSync,
  readdirSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import type { QuotaStatus } from '../../backend/contract/quota-model.js';
import { StorageError } from '../../errors/storage-error.js';
import { Beneath } from '../../native/beneath.js';
import { Errno, SystemError } from '../../native/errno.js';
import { PlainQuota } from '../testing/domain-rig.js';
import { SETTINGS, UNSCOPED, UploadRig } from '../uploads/testing/upload-rig.js';
import { NoUploadLeases } from '../uploads/upload-leases.js';
import { QuotaAdmission } from './quota-admission.js';
import { StreamBody } from '../uploads/stream-body.js';

/** A quota that the spec sets. */
class SetQuota extends PlainQuota {
  override readonly enforcesScopes = true;
  override readonly enforcesVFolders = true;
  override usageLagMs = 0;
  override enforcesLate = false;
  status: QuotaStatus = { usedBytes: 0, limitBytes: 100 };
  readonly asked: string[] = [];

  override async describeScope(path: Buffer): Promise<QuotaStatus> {
    this.asked.push(path.toString());
    return this.status;
  }
  override describeVFolder(path: Buffer): Promise<QuotaStatus> {
    return this.describeScope(path);
  }
}

let quota: SetQuota;
let rig: UploadRig;
const reservations = (): string[] => {
  const top = join(rig.volumePath, '.storage-proxy/reservations');
  return existsSync(top)
    ? readdirSync(top).flatMap((root) =>
        readdirSync(join(top, root)).map((name) => join(top, root, name)),
      )
    : [];
};
const refused = (figures: Record<string, number>) => ({
  code: 'QUOTA_EXCEEDED',
  details: { subject: 'entry', errno: 122, data: figures },
});

async function use(vfid?: string): Promise<void> {
  rig?.remove();
  quota = new SetQuota();
  rig = await UploadRig.create(vfid, quota);
}

beforeEach(() => use());
afterEach(() => rig.remove());

describe('admission of uploads', () => {
  it.each([
    [
      'a scope',
      undefined,
      /^scope-0f0e0d0c0b0a40908070605040302010$/,
      '0f0e0d0c0b0a40908070605040302010',
    ],
    ['an unscoped vfolder', UNSCOPED, /^vfolder-9f8e/, '9f/8e/7d6c5b4a43929190807060504030'],
  ])('asks the quota of %s', async (_what, vfid, root, path) => {
    await use(vfid);
    await rig.begin('a', 60);
    expect(quota.asked).toEqual([path, path]);
    const [reservation] = reservations();
    expect(reservation!.split('/').at(-2)).toMatch(root);
    await expect(rig.begin('b', 60)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  it('reserves with a link to the staging file, so that what has come counts once', async () => {
    const request = await rig.begin('a', 60);
    const [reservation] = reservations();
    expect(reservation).toMatch(new RegExp(`/${request.session}\\.60$`));
    expect(realpathSync(reservation!)).toBe(
      realpathSync(join(rig.path, '.upload', request.session)),
    );
    await rig.send(request, Buffer.alloc(50));
    quota.status = { usedBytes: 50, limitBytes: 100 };
    await rig.begin('b', 40);
    await expect(rig.begin('c', 1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  it('says what is used, limited, asked for and reserved, and leaves nothing behind', async () => {
    quota.status = { usedBytes: 30, limitBytes: 100 };
    await rig.begin('a', 50);
    const before = rig.names('.upload');
    await expect(rig.begin('b', 40)).rejects.toMatchObject(
      refused({ used_bytes: 30, limit_bytes: 100, requested_bytes: 40, reserved_bytes: 50 }),
    );
    await expect(rig.begin('b', 71)).rejects.toMatchObject(
      refused({ used_bytes: 30, limit_bytes: 100, requested_bytes: 71, reserved_bytes: 0 }),
    );
    expect(rig.names('.upload')).toEqual(before);
    expect(reservations()).toHaveLength(1);
  });

  it('releases what is in place', async () => {
    await rig.send(await rig.begin('a', 60), Buffer.alloc(60));
    expect(reservations()).toEqual([]);
    await rig.begin('b', 60);
  });

  it('releases what was swept, or deleted with its vfolder', async () => {
    const request = await rig.begin('a', 60);
    rmSync(join(rig.path, '.upload', request.session));
    await rig.begin('b', 60);
    rmSync(join(rig.path, '.upload'), { recursive: true });
    await rig.begin('c', 60);
    expect(reservations()).toHaveLength(1);
  });

  it('releases what nobody can continue, its token having expired', async () => {
    const { session } = await rig.begin('a', 60);
    const [reservation] = reservations();
    const longAgo = Date.now() / 1000 - 3600;
    utimesSync(join(rig.path, '.upload', session), longAgo, longAgo);
    const { lutimesSync } = await import('node:fs');
    lutimesSync(reservation!, longAgo, longAgo);
    // The change time of the staging file is now, as if a request had just written to it.
    await expect(rig.begin('b', 60)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    const later = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 700_000);
    await rig.begin('b', 60);
    later.mockRestore();
  });

  it('releases what other proxies cannot be told of', async () => {
    const away = new StorageError('UNAVAILABLE', 'Valkey does not answer');
    jest.spyOn(NoUploadLeases.prototype, 'announce').mockRejectedValueOnce(away);
    await expect(rig.begin('a', 60)).rejects.toBe(away);
    expect(rig.names('.upload')).toEqual([]);
    expect(reservations()).toEqual([]);
  });

  it('collects reservations that nobody looks at', async () => {
    await rig.begin('a', 60);
    const kept = await rig.begin('b', 10);
    rmSync(join(rig.path, '.upload', readSession(reservations(), '60')));
    await new QuotaAdmission(SETTINGS).collect(rig.volume);
    expect(reservations().map((path) => path.split('/').at(-1))).toEqual([`${kept.session}.10`]);
    rmSync(join(rig.path, '.upload', kept.session));
    await new QuotaAdmission(SETTINGS).collect(rig.volume);
    expect(readdirSync(join(rig.volumePath, '.storage-proxy/reservations'))).toEqual([]);
  });

  it('admits one of many that ask at once and fit only alone', async () => {
    const attempts = Array.from({ length: 8 }, (_, index) => rig.begin(`f${index}`, 60));
    const outcomes = await Promise.allSettled(attempts);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(reservations()).toHaveLength(1);
  });

  it('reserves nothing without a limit, for an empty file, or where nothing is enforced', async () => {
    quota.status = { usedBytes: 1000, limitBytes: null };
    await rig.begin('a', 1000);
    quota.status = { usedBytes: 1000, limitBytes: 100 };
    await rig.begin('b', 0);
    expect(reservations()).toEqual([]);
  });

  it('goes on beside a folder that cannot be looked into, for whose uploads it keeps the room', async () => {
    const { session } = await rig.begin('a', 60);
    // oxlint-disable-next-line typescript/unbound-method -- called on what it was called on
    const { lstat } = Beneath.prototype;
    const looking = jest.spyOn(Beneath.prototype, 'lstat').mockImplementation(function (
      this: Beneath,
      path,
    ) {
      if (path.includes(session)) throw new SystemError(Errno.EACCES, 'statx');
      return lstat.call(this, path);
    });
    await rig.begin('b', 40);
    await expect(rig.begin('c', 1)).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    looking.mockRestore();
    expect(reservations()).toHaveLength(2);
  });

  it('collects the other roots when one of them fails', async () => {
    const { session } = await rig.begin('b', 10);
    rmSync(join(rig.path, '.upload', session));
    // Listed first, and no directory.
    writeFileSync(join(rig.volumePath, '.storage-proxy/reservations/a'), '');
    await new QuotaAdmission(SETTINGS).collect(rig.volume);
    expect(readdirSync(join(rig.volumePath, '.storage-proxy/reservations'))).toEqual(['a']);
  });

  it('takes a tenant’s directory in place of the uploads for no upload', async () => {
    await rig.begin('a', 60);
    rmSync(join(rig.path, '.upload'), { recursive: true });
    writeFileSync(join(rig.path, '.upload'), '');
    const volumeWide = new QuotaAdmission(SETTINGS);
    await volumeWide.collect(rig.volume);
    expect(reservations()).toEqual([]);
  });
});

describe('where the usage lags behind', () => {
  beforeEach(() => {
    quota.usageLagMs = 60_000;
  });

  it('counts an upload that has just ended until the usage must have it', async () => {
    quota.usageLagMs = 500;
    quota.status = { usedBytes: 0, limitBytes: 100_000 };
    await rig.send(await rig.begin('a', 60_000), Buffer.alloc(60_000));
    expect(reservations()).toHaveLength(1);
    // The usage does not have it yet: in doubt until it cannot be late any more.
    const second = rig.begin('b', 60_000);
    quota.status = { usedBytes: 60_000, limitBytes: 100_000 };
    await expect(second).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    await rig.begin('c', 40_000);
  });

  it('does not take what has just come for counted', async () => {
    quota.usageLagMs = 2_000;
    quota.status = { usedBytes: 0, limitBytes: 100_000 };
    const first = await rig.begin('a', 80_000);
    await rig.send(first, Buffer.alloc(40_000));
    // The usage has nothing of it yet: by it 60 000 would fit beside the 40 000 that are still to come.
    const asked = quota.asked.length;
    const second = rig.begin('b', 60_000);
    second.catch(() => undefined);
    while (quota.asked.length < asked + 2) await new Promise((resolve) => setTimeout(resolve, 5));
    quota.status = { usedBytes: 40_000, limitBytes: 100_000 };
    await expect(second).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
  });

  it('counts an upload that has ended by what it saw of it, not by the clocks of hosts', async () => {
    await rig.send(await rig.begin('a', 60), Buffer.alloc(60));
    // It was another host, whose clock is two minutes behind.
    const late = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 120_000);
    await rig.begin('b', 40);
    late.mockRestore();
    expect(reservations()).toHaveLength(2);
  });

  it('waits for the usage to follow a deletion rather than refusing', async () => {
    quota.status = { usedBytes: 100_000_100, limitBytes: 100_000_000 };
    const asked = rig.begin('a', 1_000_000);
    while (quota.asked.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
    quota.status = { usedBytes: 0, limitBytes: 100_000_000 };
    await asked;
    expect(reservations()).toHaveLength(1);
  });

  it('refuses at once what can never fit, and says how old its figures may be', async () => {
    quota.status = { usedBytes: 10, limitBytes: 1_000_000 };
    await expect(rig.begin('a', 1_100_000)).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { data: { used_bytes: 10, lag_seconds: 60 } },
    });
  });

  it('does not count the records of running uploads against the tenant', async () => {
    await rig.send(await rig.begin('a', 30), Buffer.alloc(10));
    quota.status = { usedBytes: 54, limitBytes: 100 };
    await rig.begin('b', 70);
    expect(reservations()).toHaveLength(2);
  });

  it('takes nothing off the usage for uploads that have not begun', async () => {
    await rig.begin('a', 30);
    quota.status = { usedBytes: 20, limitBytes: 100 };
    const asked = quota.asked.length;
    const second = rig.begin('b', 70);
    // Looked at again, since a deletion may not be counted yet.
    while (quota.asked.length < asked + 3) await new Promise((resolve) => setTimeout(resolve, 5));
    quota.status = { usedBytes: 0, limitBytes: 100 };
    await second;
    expect(reservations()).toHaveLength(2);
  });

  it('leaves no bytes of a finished upload but its file', async () => {
    const { session } = await rig.begin('a', 5).then(async (request) => {
      await rig.send(request, Buffer.from('hello'));
      return request;
    });
    expect(lstatSync(join(rig.path, '.upload', `${session}.done`)).size).toBe(0);
  });

  it('admits at once what fits even if everything were counted twice', async () => {
    await rig.send(await rig.begin('a', 30), Buffer.alloc(30));
    quota.status = { usedBytes: 30, limitBytes: 100 };
    await rig.begin('b', 40);
    expect(reservations()).toHaveLength(2);
    expect(lstatSync(reservations()[0]!).isSymbolicLink()).toBe(true);
  });
});

describe('while an upload is received', () => {
  const chunk = Buffer.alloc(1024 * 1024);
  const size = 4 * chunk.length;

  beforeEach(() => {
    quota.enforcesLate = true;
    quota.status = { usedBytes: 0, limitBytes: 10 * size };
  });

  /** A body that takes its time between two pieces, for the quota to be looked at. */
  async function* slow(): AsyncGenerator<Buffer> {
    for (let sent = 0; sent < size; sent += chunk.length) {
      yield chunk;
      await new Promise((resolve) => setTimeout(resolve, 600));
    }
  }

  it('stops when the quota is used up by others, keeps what came, and goes on when there is room', async () => {
    const request = await rig.begin('a', size);
    quota.status = { usedBytes: 10 * size, limitBytes: 10 * size };
    const upload = await rig.uploads.open(request);
    await expect(upload.receive(new StreamBody(Readable.from(slow())))).rejects.toMatchObject({
      code: 'QUOTA_EXCEEDED',
      details: { data: { limit_bytes: 10 * size } },
    });
    await upload.close();
    const offset = await rig.offset(request);
    expect(offset).toBeGreaterThan(0);
    expect(offset % chunk.length).toBe(0);
    quota.status = { usedBytes: 0, limitBytes: 10 * size };
    expect(await rig.send(request, Buffer.alloc(size - offset))).toBe(size);
  });

  it('does not wait on behalf of a client that has gone', async () => {
    quota.usageLagMs = 3_600_000;
    const request = await rig.begin('a', size);
    quota.status = { usedBytes: 10 * size, limitBytes: 10 * size };
    const upload = await rig.uploads.open(request);
    const body = new PassThrough();
    const asked = quota.asked.length;
    const receiving = upload.receive(new StreamBody(body));
    receiving.catch(() => undefined);
    body.write(chunk);
    while (quota.asked.length === asked) await new Promise((resolve) => setTimeout(resolve, 20));
    body.destroy();
    await expect(receiving).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' });
    await upload.close();
    expect(await rig.offset(request)).toBeGreaterThan(0);
  });

  it('does not refuse what is there whole', async () => {
    const request = await rig.begin('a', chunk.length);
    quota.status = { usedBytes: 20 * size, limitBytes: 10 * size };
    expect(await rig.send(request, chunk)).toBe(chunk.length);
  });

  it('waits for the usage to follow a deletion rather than refusing', async () => {
    quota.usageLagMs = 30_000;
    const request = await rig.begin('a', size);
    quota.status = { usedBytes: 10 * size, limitBytes: 10 * size };
    const upload = await rig.uploads.open(request);
    const receiving = upload.receive(new StreamBody(Readable.from(slow())));
    const asked = quota.asked.length;
    while (quota.asked.length < asked + 2) await new Promise((resolve) => setTimeout(resolve, 50));
    quota.status = { usedBytes: 0, limitBytes: 10 * size };
    expect(await receiving).toBe(size);
    await upload.close();
  });
});

function readSession(paths: readonly string[], bytes: string): string {
  const name = paths
    .map((path) => path.split('/').at(-1)!)
    .find((each) => each.endsWith(`.${bytes}`));
  return name!.split('.')[0]!;
}
