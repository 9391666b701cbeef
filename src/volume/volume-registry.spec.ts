import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, VolumeSettings, VolumeStrategies } from '../backend/contract/backend.js';
import { StorageError } from '../errors/storage-error.js';
import type { DomainSettings } from './domain-settings.js';
import { catalogOf, SCOPED, strategiesOf, UNSCOPED } from './testing/domain-rig.js';
import { VolumeRegistry } from './volume-registry.js';

type Open = (settings: VolumeSettings) => Promise<VolumeStrategies>;

/** A backend whose behaviour the spec decides per volume, and which says what was asked of it. */
class Script implements Backend {
  readonly opened: string[] = [];
  readonly closed: string[] = [];
  readonly behaviour = new Map<string, Open>();

  async open(settings: VolumeSettings): Promise<VolumeStrategies> {
    this.opened.push(settings.name);
    await this.behaviour.get(settings.name)?.(settings);
    return {
      ...strategiesOf(settings.path),
      close: async () => void this.closed.push(settings.name),
    };
  }
}

const refuse =
  (reason: string): Open =>
  () =>
    Promise.reject(new StorageError('UNAVAILABLE', reason, { subject: 'volume' }));
const hang: Open = () => new Promise(() => undefined);

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 10) {
    if (waited > 5000) throw new Error('it did not come about');
    await sleep(10);
  }
}

describe('VolumeRegistry', () => {
  let base: string;
  let script: Script;
  let registry: VolumeRegistry;

  const volume = (name: string, options = {}): VolumeSettings => {
    const mountPath = path.join(base, name);
    fs.mkdirSync(mountPath, { recursive: true });
    return { name, backend: 'vfs', path: mountPath, fsprefix: '.', options };
  };
  const open = async (names: string[], overrides: Partial<DomainSettings> = {}): Promise<void> => {
    const settings = {
      volumes: names.map((name) => volume(name)),
      operationDeadlineMs: 2000,
      bulkheadShare: 4,
      ...overrides,
    } as DomainSettings;
    registry = new VolumeRegistry(catalogOf(script), settings);
    await registry.open();
  };
  const state = (name: string) => registry.status().find((status) => status.name === name);

  beforeEach(() => {
    base = fs.mkdtempSync(path.join(tmpdir(), 'registry-'));
    script = new Script();
  });
  afterEach(async () => {
    await registry.close(100);
    fs.rmSync(base, { recursive: true, force: true });
  });

  it('opens each volume once, and noop beside them (B6)', async () => {
    await open(['a', 'b']);
    expect(script.opened.toSorted()).toEqual(['a', 'b', 'noop']);
    expect(registry.all().map(({ name }) => name)).toEqual(['a', 'b']);
    expect(registry.get('a')).toBe(registry.get('a'));
    expect(registry.get('noop').isNoop).toBe(true);
    expect(registry.status().map(({ name }) => name)).toEqual(['a', 'b']);
  });

  it('refuses names it does not know', async () => {
    await open([]);
    expect(() => registry.get('x')).toThrow(
      expect.objectContaining({
        code: 'NOT_FOUND',
        details: { subject: 'volume', volume: 'x' },
      }) as Error,
    );
  });

  it('keeps the others when one cannot be opened, and tries that one again (M11)', async () => {
    script.behaviour.set('sick', refuse('/mnt/x is not mounted: mount it'));
    await open(['sick', 'well']);
    expect(registry.get('well').isUsable).toBe(true);
    expect(state('sick')).toMatchObject({
      state: 'unavailable',
      reason: '/mnt/x is not mounted: mount it',
    });
    const usable: string[] = [];
    registry.onUsable(({ name }) => usable.push(name));
    script.behaviour.delete('sick');
    await until(() => registry.get('sick').isUsable);
    expect(usable).toEqual(['sick']);
    expect(script.opened.filter((name) => name === 'sick')).toHaveLength(2);
  });

  it('answers UNAVAILABLE for a sick volume, its reason for operators only (S14)', async () => {
    script.behaviour.set('sick', refuse('/mnt/x is not mounted'));
    await open(['sick']);
    const sick = registry.get('sick');
    const error = await sick.run('x', async () => 1).catch((e: unknown) => e as StorageError);
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'volume "sick" is unavailable',
      details: { subject: 'volume', volume: 'sick' },
      cause: expect.objectContaining({ message: '/mnt/x is not mounted' }) as Error,
    });
  });

  it('does not wait for a volume that hangs, and does not knock a second time', async () => {
    script.behaviour.set('hung', hang);
    await open(['hung', 'well'], { operationDeadlineMs: 50 });
    expect(state('hung')).toMatchObject({ state: 'unavailable' });
    expect(state('hung')?.reason).toContain('did not answer within 0.05 s');
    await sleep(1200);
    expect(script.opened.filter((name) => name === 'hung')).toHaveLength(1);
  });

  it('takes a volume that answers after its deadline', async () => {
    script.behaviour.set('slow', async (settings) => {
      await sleep(100);
      return strategiesOf(settings.path);
    });
    await open(['slow'], { operationDeadlineMs: 30 });
    expect(registry.get('slow').isUsable).toBe(false);
    await until(() => registry.get('slow').isUsable);
  });

  it('refuses requests at once while the probe finds a volume hanging', async () => {
    await open(['a']);
    const a = registry.get('a');
    a.markHung('no answer to stat within 5 s');
    expect(a.isUsable).toBe(false);
    expect(state('a')).toMatchObject({ state: 'hung', reason: 'no answer to stat within 5 s' });
    expect(() => a.strategies).toThrow(StorageError);
    a.markHung(null);
    expect(state('a')).toMatchObject({ state: 'usable', reason: null });
  });

  it('notices that something else is mounted, and opens the volume again', async () => {
    await open(['a']);
    const mountPath = path.join(base, 'a');
    fs.renameSync(mountPath, path.join(base, 'moved'));
    fs.mkdirSync(mountPath);
    const a = registry.get('a');
    const refused = await a.openRoot().catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'UNAVAILABLE' });
    await until(() => a.isUsable);
    (await a.openRoot()).close();
    expect(script.closed).toEqual(['a']);
  });

  it('takes an unmounted volume away until it is back', async () => {
    await open(['a']);
    const mountPath = path.join(base, 'a');
    fs.renameSync(mountPath, path.join(base, 'away'));
    const a = registry.get('a');
    await expect(a.openVFolder(SCOPED.id)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await until(() => script.opened.filter((name) => name === 'a').length === 2);
    expect(state('a')?.state).toBe('unavailable');
    fs.renameSync(path.join(base, 'away'), mountPath);
    await until(() => a.isUsable);
  });

  describe('reload', () => {
    it('opens what is new, closes what is gone, leaves the rest alone', async () => {
      await open(['a', 'b']);
      const [a, b] = registry.all();
      await registry.reload([volume('c'), volume('a')]);
      expect(registry.all().map(({ name }) => name)).toEqual(['c', 'a']);
      expect(registry.get('a')).toBe(a);
      expect(() => b!.strategies).toThrow(StorageError);
      expect(script.closed).toEqual(['b']);
    });

    it('opens a volume again when its settings changed', async () => {
      await open(['a']);
      const before = registry.get('a');
      await registry.reload([volume('a', { depth: 2 })]);
      expect(registry.get('a')).not.toBe(before);
      expect(registry.get('a').isUsable).toBe(true);
    });

    it('lets running operations end before it closes their volume', async () => {
      await open(['a']);
      let end!: () => void;
      const running = registry.get('a').run('x', () => new Promise<void>((done) => (end = done)));
      const reloaded = registry.reload([]);
      await sleep(20);
      expect(script.closed).toEqual([]);
      end();
      await Promise.all([running, reloaded]);
      expect(script.closed).toEqual(['a']);
    });

    it('stops trying to open a volume that is gone', async () => {
      script.behaviour.set('sick', refuse('no'));
      await open(['sick']);
      await registry.reload([]);
      await sleep(1200);
      expect(script.opened.filter((name) => name === 'sick')).toHaveLength(1);
    });
  });

  it('closes everything, and a volume that opens after that', async () => {
    let late!: () => void;
    script.behaviour.set('late', (settings) =>
      new Promise<void>((done) => (late = done)).then(() => strategiesOf(settings.path)),
    );
    await open(['a', 'late'], { operationDeadlineMs: 30 });
    await registry.close(1000);
    late();
    await until(() => script.closed.includes('late'));
    expect(registry.get('late').isUsable).toBe(false);
    expect(script.closed.toSorted()).toEqual(['a', 'late', 'noop']);
  });

  describe('layout marker (B13)', () => {
    it.each([
      [undefined, 2],
      ['2\n', 2],
      ['3', 3],
      ['3\n', 3],
    ])('%p is layout %d, and both layouts are served', async (content, layout) => {
      const marker = path.join(volume('a').path, 'version.txt');
      if (content !== undefined) fs.writeFileSync(marker, content);
      await open(['a']);
      expect(state('a')).toMatchObject({ state: 'usable', layout });
      const a = registry.get('a');
      for (const id of [SCOPED.id, UNSCOPED.id]) {
        const host = path.join(base, 'a', a.locate(id).path.toString());
        fs.mkdirSync(host, { recursive: true });
        (await a.openVFolder(id)).close();
      }
    });

    it('stops at a layout of the future', async () => {
      fs.writeFileSync(path.join(volume('a').path, 'version.txt'), '4');
      await open(['a']);
      expect(state('a')).toMatchObject({ state: 'unavailable' });
      expect(state('a')?.reason).toContain('"4"');
      expect(script.closed).toEqual(['a']);
    });
  });
});
