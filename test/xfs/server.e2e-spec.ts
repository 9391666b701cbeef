import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { hex, newScope, newVFolderId, scopePath, vfolderPath } from '../support/ids.js';
import { send, type Answer } from '../support/http.js';
import { ManagerClient } from '../support/manager-client.js';
import { TestServer } from '../support/server.js';
import { MIB, Projects, ScratchVolume } from './support/guest.js';

/** A guest has one slow processor: nothing here may depend on how fast an answer comes. */
const PATIENT = { 'probe-interval': '1m', 'probe-timeout': '50s' };

describe('a proxy with an xfs volume', () => {
  let volume: ScratchVolume;
  let server: TestServer;
  let manager: ManagerClient;
  let projects: Projects;

  beforeAll(async () => {
    projects = await Projects.load();
    volume = new ScratchVolume('xfs');
    fs.writeFileSync(volume.at('version.txt'), '3\n');
    const { lockFilePath, projectsFile, projidFile } = volume.settings.options as Record<
      string,
      string
    >;
    const options = {
      lock_file_path: lockFilePath,
      'projects-file': projectsFile,
      'projid-file': projidFile,
    };
    server = await TestServer.start({
      volumes: ['plain'],
      config: {
        volume: {
          xfs: { backend: 'xfs', path: volume.path, options },
          unquoted: { backend: 'xfs', path: '/tmp', options },
        },
        health: PATIENT,
        limits: { 'operation-timeout': '2m' },
      },
    });
    manager = new ManagerClient(server.managerUrl, server.secret);
  });
  afterAll(async () => {
    manager.close();
    await server.stop();
    volume.dispose();
  });

  const quotaScope = (method: string, qsid: string, limit?: number): Promise<Answer> =>
    manager.call(method, '/quota-scope', {
      volume: 'xfs',
      qsid,
      ...(limit !== undefined && { options: { limit_bytes: limit } }),
    });
  const folder = async (vfid: string, options: object = {}, on = 'xfs'): Promise<string> => {
    await manager.expecting(204, 'POST', '/folder/create', { volume: on, vfid, options });
    return on === 'xfs'
      ? volume.at(vfolderPath(vfid))
      : path.join(server.volumePath(on), vfolderPath(vfid));
  };
  const token = async (vfid: string, relpath: string, size: number): Promise<Answer> =>
    manager.call('POST', '/folder/file/upload', { volume: 'xfs', vfid, relpath, size });
  const upload = (method: string, url: string, offset = 0, body?: Buffer): Promise<Answer> =>
    send(
      method,
      `${server.clientUrl}/upload?token=${url}`,
      {
        'tus-resumable': '1.0.0',
        ...(body && { 'upload-offset': offset, 'content-type': 'application/offset+octet-stream' }),
      },
      body,
    );

  it('offers quotas, and leaves out a volume that cannot have any', async () => {
    const { json } = await manager.expecting(200, 'GET', '/volumes');
    const volumes = json['volumes'] as { name: string; capabilities: string[] }[];
    expect(volumes.map(({ name }) => name).toSorted()).toEqual(['plain', 'xfs']);
    const { capabilities } = volumes.find(({ name }) => name === 'xfs')!;
    expect(capabilities).toEqual(['quota', 'vfolder']);
    const refused = server.log.find((line) => line['volume'] === 'unquoted');
    expect(refused?.['reason']).toContain('/tmp is tmpfs, not XFS');
  });

  it('limits quota scopes: makes, tells, changes and removes the limit, and refuses to make one twice', async () => {
    const qsid = newScope();
    expect((await quotaScope('GET', qsid)).status).toBe(404);
    expect((await quotaScope('POST', qsid, 64 * MIB)).status).toBe(204);
    expect((await quotaScope('POST', qsid, MIB)).status).toBe(409);
    expect((await quotaScope('GET', qsid)).json).toEqual({ used_bytes: 0, limit_bytes: 64 * MIB });
    expect((await quotaScope('PATCH', qsid, 32 * MIB)).status).toBe(204);
    expect((await quotaScope('GET', qsid)).json).toMatchObject({ limit_bytes: 32 * MIB });
    const unset = { volume: 'xfs', qsid };
    for (const _ of ['first', 'again']) {
      await manager.expecting(204, 'DELETE', '/quota-scope/quota', unset);
    }
    expect((await quotaScope('GET', qsid)).json).toEqual({ used_bytes: 0, limit_bytes: null });

    const id = projects.idOf(volume.at(scopePath(qsid)));
    const listed = (name: string): string => fs.readFileSync(path.join(volume.files, name), 'utf8');
    expect(listed('projects')).toContain(`${id}:${volume.at(scopePath(qsid))}\n`);
    expect(listed('projid')).toContain(`${scopePath(qsid)}:${id}\n`);
    projects.limit(id, { softBytes: 8 * MIB, hardBytes: 16 * MIB, hardInodes: 50 });
    expect((await quotaScope('GET', qsid)).json).toMatchObject({
      limit_bytes: 16 * MIB,
      soft_limit_bytes: 8 * MIB,
      limit_inodes: 50,
    });
  });

  it('makes a scope with the limit that comes with its first vfolder', async () => {
    const qsid = newScope('project');
    await folder(newVFolderId('scoped', qsid), { initial_max_size_for_quota_scope: 8 * MIB });
    const { json } = await quotaScope('GET', qsid);
    expect(json).toMatchObject({ limit_bytes: 8 * MIB });
  });

  it('limits vfolders of unscoped ids, counts them at once, and gives their project up with them', async () => {
    const vfid = newVFolderId('bare');
    const ref = { volume: 'xfs', vfid };
    const directory = await folder(vfid, { quota: '32m' });
    const id = projects.idOf(directory);
    expect((await manager.call('GET', '/volume/quota', ref)).text).toBe(String(32 * MIB));
    await manager.expecting(204, 'PATCH', '/volume/quota', { ...ref, size_bytes: '64m' });
    expect((await manager.call('GET', '/volume/quota', ref)).text).toBe(String(64 * MIB));
    fs.mkdirSync(path.join(directory, 'sub'));
    fs.writeFileSync(path.join(directory, 'sub/file'), Buffer.alloc(MIB));
    expect((await manager.call('GET', '/folder/usage', ref)).json).toEqual({
      file_count: 2,
      used_bytes: MIB,
    });
    await manager.expecting(204, 'POST', '/folder/delete', ref);
    expect(projects.quota(id) ?? { hardBytes: null }).toMatchObject({ hardBytes: null });
    expect(fs.readFileSync(path.join(volume.files, 'projid'), 'utf8')).not.toContain(vfid);
  });

  it('gives up the project of a vfolder that the original made, on its way through the trash', async () => {
    const vfid = newVFolderId('bare');
    const directory = volume.at(vfolderPath(vfid));
    const id = 4_100;
    fs.mkdirSync(directory, { recursive: true });
    projects.set(directory, id);
    projects.limit(id, { hardBytes: 8 * MIB });
    const files = ['projects', 'projid'].map((name) => path.join(volume.files, name));
    fs.appendFileSync(files[0]!, `${id}:${directory}\n`);
    fs.appendFileSync(files[1]!, `${vfid}:${id}\n`);
    fs.writeFileSync(path.join(directory, 'file'), Buffer.alloc(MIB));
    await manager.expecting(204, 'POST', '/folder/delete', { volume: 'xfs', vfid });
    expect(fs.existsSync(directory)).toBe(false);
    expect(projects.quota(id) ?? { hardBytes: null }).toMatchObject({ hardBytes: null });
    expect(fs.readFileSync(files[0]!, 'utf8')).not.toContain(`:${directory}\n`);
    expect(fs.readFileSync(files[1]!, 'utf8')).not.toContain(vfid);
  });

  it('refuses an upload that does not fit, with what is used, allowed and asked for', async () => {
    const qsid = newScope();
    const vfid = newVFolderId('scoped', qsid);
    await quotaScope('PATCH', qsid, 8 * MIB);
    await folder(vfid);
    const refused = await token(vfid, 'large', 9 * MIB);
    expect(refused.status).toBe(400);
    expect(refused.json['data']).toMatchObject({
      limit_bytes: 8 * MIB,
      requested_bytes: 9 * MIB,
      used_bytes: expect.any(Number) as unknown,
    });
  });

  it('keeps what fitted of an upload that meets the limit, says why, and goes on when there is room', async () => {
    const qsid = newScope();
    const vfid = newVFolderId('scoped', qsid);
    await quotaScope('PATCH', qsid, 24 * MIB);
    const directory = await folder(vfid);
    const content = randomBytes(16 * MIB);
    const url = String((await token(vfid, 'file', content.length)).json['token']);
    // A container of the user fills the quota meanwhile.
    const hog = path.join(directory, 'hog');
    fs.writeFileSync(hog, Buffer.alloc(14 * MIB));

    const refused = await upload('PATCH', url, 0, content);
    expect(refused.status).toBe(507);
    expect(refused.json).toMatchObject({
      msg: expect.stringContaining('the quota is full') as unknown,
      data: { limit_bytes: 24 * MIB, used_bytes: expect.any(Number) as unknown },
    });
    const kept = Number((await upload('HEAD', url)).headers['upload-offset']);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(content.length);
    fs.rmSync(hog);
    const resumed = await upload('PATCH', url, kept, content.subarray(kept));
    expect(resumed.status).toBe(204);
    expect(fs.readFileSync(path.join(directory, 'file')).equals(content)).toBe(true);
  });

  it.each([
    ['scoped', 'xfs', 'xfs'],
    ['scoped', 'xfs', 'plain'],
    ['scoped', 'plain', 'xfs'],
    ['bare', 'xfs', 'xfs'],
    ['bare', 'xfs', 'plain'],
    ['bare', 'plain', 'xfs'],
  ] as const)('clones a %s vfolder from %s to %s', async (dialect, from, to) => {
    const source = newVFolderId(dialect);
    const directory = await folder(source, {}, from);
    fs.mkdirSync(path.join(directory, 'sub'));
    fs.writeFileSync(path.join(directory, 'sub/file'), Buffer.alloc(2 * MIB, 'x'));
    const copy = newVFolderId(dialect);
    const request = { src_volume: from, src_vfid: source, dst_volume: to, dst_vfid: copy };
    const answer = await manager.call('POST', '/folder/clone', request);
    if (dialect === 'scoped') expect(await manager.jobEnd(answer)).toMatchObject({ state: 'done' });
    else expect(answer.status).toBe(204);
    const root = to === 'xfs' ? volume.path : server.volumePath(to);
    const clone = path.join(root, vfolderPath(copy));
    expect(fs.readFileSync(path.join(clone, 'sub/file')).length).toBe(2 * MIB);
    if (to !== 'xfs') return;
    const charged = dialect === 'scoped' ? volume.at(scopePath(copy.split('/')[0]!)) : clone;
    const id = projects.idOf(charged);
    expect(id).toBeGreaterThan(0);
    expect(projects.idOf(path.join(clone, 'sub/file'))).toBe(id);
    expect(projects.quota(id)?.usedBytes).toBeGreaterThanOrEqual(2 * MIB);
  });

  it('refuses a clone that does not fit into the quota', async () => {
    const source = newVFolderId('scoped');
    const directory = await folder(source);
    fs.writeFileSync(path.join(directory, 'file'), Buffer.alloc(4 * MIB));
    const qsid = newScope();
    await quotaScope('PATCH', qsid, 2 * MIB);
    const answer = await manager.call('POST', '/folder/clone', {
      src_volume: 'xfs',
      src_vfid: source,
      dst_volume: 'xfs',
      dst_vfid: newVFolderId('scoped', qsid),
    });
    expect(await manager.jobEnd(answer)).toMatchObject({
      state: 'failed',
      error: { code: 'QUOTA_EXCEEDED' },
    });
  });

  it('moves across a border of projects inside a vfolder, and deletes what carries a foreign id', async () => {
    const qsid = newScope();
    const vfid = newVFolderId('scoped', qsid);
    const directory = await folder(vfid);
    const ref = { volume: 'xfs', vfid };
    fs.mkdirSync(path.join(directory, 'there'));
    fs.writeFileSync(path.join(directory, 'escaped'), 'content');
    projects.set(path.join(directory, 'escaped'), 0, false);
    await manager.expecting(204, 'POST', '/folder/file/move', {
      ...ref,
      src_relpath: 'escaped',
      dst_relpath: 'there/back',
    });
    expect(fs.readFileSync(path.join(directory, 'there/back'), 'utf8')).toBe('content');
    expect(projects.idOf(path.join(directory, 'there/back'))).toBe(
      projects.idOf(volume.at(scopePath(qsid))),
    );
    projects.set(directory, 4711);
    const deleted = await manager.expecting(202, 'POST', '/folder/delete', ref);
    expect(await manager.jobEnd(deleted)).toMatchObject({ state: 'done' });
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('tells that a scope from before the volume had projects needs the operator', async () => {
    const qsid = newScope();
    fs.mkdirSync(volume.at(hex(scopePath(qsid)), 'aa'), { recursive: true });
    expect((await quotaScope('GET', qsid)).json).toEqual({ used_bytes: null, limit_bytes: null });
    const refused = await quotaScope('PATCH', qsid, MIB);
    expect(refused.status).toBe(400);
    expect(refused.json['msg']).toContain('quota check --fix');
  });
});
