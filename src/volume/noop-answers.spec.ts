import { QuotaScopeId } from './ids/quota-scope-id.js';
import { RelPath } from './ids/relpath.js';
import { VFolderId } from './ids/vfolder-id.js';
import { NOOP_FILES, NOOP_QUOTA_SCOPES, NOOP_VFOLDERS, withNoopAnswers } from './noop-answers.js';
import { DomainRig } from './testing/domain-rig.js';

const scope = QuotaScopeId.parse('user:0f0e0d0c-0b0a-4090-8070-605040302010');
const ref = { volume: 'noop', id: VFolderId.of(scope, '9f8e7d6c5b4a43929190807060504030') };
const path = RelPath.parse('a');

describe('the noop volume', () => {
  let rig: DomainRig;
  beforeEach(() => {
    rig = new DomainRig();
  });
  afterEach(() => rig.remove());

  async function services() {
    const worker = await rig.worker();
    return {
      quotaScopes: withNoopAnswers(worker.quotaScopes, NOOP_QUOTA_SCOPES),
      vfolders: withNoopAnswers(worker.vfolders, NOOP_VFOLDERS),
      files: withNoopAnswers(worker.files, NOOP_FILES),
    };
  }
  type Services = Awaited<ReturnType<typeof services>>;

  it.each<[string, (on: Services) => Promise<unknown>, unknown]>([
    ['quotaScopes.create', (on) => on.quotaScopes.create('noop', scope, 1), undefined],
    [
      'quotaScopes.describe',
      (on) => on.quotaScopes.describe('noop', scope),
      { usedBytes: null, limitBytes: null },
    ],
    ['quotaScopes.update', (on) => on.quotaScopes.update('noop', scope, 1), undefined],
    ['quotaScopes.unset', (on) => on.quotaScopes.unset('noop', scope), undefined],
    ['vfolders.create', (on) => on.vfolders.create(ref), undefined],
    ['vfolders.mountPath', (on) => on.vfolders.mountPath(ref, 'x'), '.'],
    ['vfolders.usage', (on) => on.vfolders.usage(ref), { fileCount: 0, usedBytes: 0 }],
    ['vfolders.quota', (on) => on.vfolders.quota(ref), 0],
    ['vfolders.setQuota', (on) => on.vfolders.setQuota(ref, 1), undefined],
    [
      'files.mkdir',
      (on) => on.files.mkdir(ref, [path], { parents: true, existOk: true }),
      [{ path }],
    ],
    ['files.list', (on) => on.files.list(ref, path), { entries: [], truncated: false }],
    ['files.rename', (on) => on.files.rename(ref, path, 'b'), undefined],
    ['files.move', (on) => on.files.move(ref, path, path), undefined],
    ['files.delete', (on) => on.files.delete(ref, [path], false), undefined],
    ['files.open', async (on) => (await on.files.open(ref, path)).read(Buffer.alloc(1), 0), 0],
  ])('%s succeeds and does nothing', async (_, call, answer) => {
    expect(await call(await services())).toEqual(answer);
  });

  it('does not stand in for other volumes', async () => {
    const { vfolders, quotaScopes } = await services();
    const local = { ...ref, volume: 'local' };
    await expect(vfolders.mountPath(local, '.')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(quotaScopes.describe('local', scope)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await vfolders.create(local);
    expect(await vfolders.usage(local)).toEqual({ fileCount: 0, usedBytes: 0 });
  });
});
