import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newVFolderId } from '../support/ids.js';
import { AUTH_HEADER, type ShownJob } from '../support/manager-client.js';
import { expectProblem } from '../support/problem.js';
import { Proxy, type TestFolder } from '../support/proxy.js';

let proxy: Proxy;
let folder: TestFolder;

beforeAll(async () => {
  // While a volume is not usable, nobody knows that it has no such job.
  proxy = await Proxy.start({}, { prepare: (mount) => mkdirSync(mount('missing')) });
  folder = await proxy.createFolder('scoped');
  for (let index = 0; index < 50; index++) {
    mkdirSync(join(folder.path, `d${index}`));
    writeFileSync(join(folder.path, `d${index}/f`), 'x'.repeat(100));
  }
});

afterAll(() => proxy.stop());

const clone = (target = newVFolderId('scoped')) =>
  proxy.manager.expecting(200, 'POST', '/folder/clone', {
    src_volume: 'local',
    src_vfid: folder.vfid,
    dst_volume: null,
    dst_vfid: target,
  });
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/) as string;

describe('a job', () => {
  it('is shown with all there is to know', async () => {
    const target = newVFolderId('scoped');
    const started = await clone(target);
    const job = await proxy.manager.jobEnd(started);
    expect(job).toEqual({
      id: started.json['bgtask_id'],
      kind: 'clone_vfolder',
      state: 'done',
      volume: 'local',
      vfid: target,
      source: { volume: 'local', vfid: folder.vfid },
      progress: {
        entries: expect.any(Number) as number,
        bytes: expect.any(Number) as number,
        total_entries: 100,
        total_bytes: expect.any(Number) as number,
      },
      attempts: 1,
      error: null,
      created_at: TIME,
      started_at: TIME,
      updated_at: TIME,
      ended_at: TIME,
    });
  });

  it('is found by its id in any form', async () => {
    const { json } = await clone();
    const id = String(json['bgtask_id']);
    for (const form of [id.toUpperCase(), id.replaceAll('-', '')]) {
      expect((await proxy.manager.call('GET', `/jobs/${form}`)).json['id']).toBe(id);
    }
  });

  it.each(['0f0e0d0c-0b0a-4090-8070-605040302010', 'nonsense', '..%2f..%2fetc', '%00'])(
    'that is not there is 404 to all that ask: %s',
    async (id) => {
      for (const [method, path] of [
        ['GET', `/jobs/${id}`],
        ['DELETE', `/jobs/${id}`],
        ['GET', `/jobs/${id}/events`],
      ] as const) {
        expectProblem(await proxy.manager.call(method, path), 404, {
          type: 'storage/job/not-found',
          error_code: 'bgtask_read_not-found',
        });
      }
    },
  );
});

describe('GET /jobs', () => {
  it('lists the newest first, and those in a state alone when asked', async () => {
    const first = await clone();
    await proxy.manager.jobEnd(first);
    const second = await clone();
    await proxy.manager.jobEnd(second);
    const listed = async (path: string, body?: object): Promise<ShownJob[]> =>
      (await proxy.manager.expecting(200, 'GET', path, body)).json['jobs'] as ShownJob[];
    const ids = (await listed('/jobs')).map(({ id }) => id);
    expect(ids.indexOf(String(second.json['bgtask_id']))).toBeLessThan(
      ids.indexOf(String(first.json['bgtask_id'])),
    );
    expect((await listed('/jobs?state=done')).every(({ state }) => state === 'done')).toBe(true);
    expect(await listed('/jobs', { state: 'failed' })).toEqual([]);
  });

  it('refuses states that jobs do not have', async () => {
    expectProblem(await proxy.manager.call('GET', '/jobs?state=lost'), 400, {
      data: { state: expect.any(String) },
    });
  });
});

describe('DELETE /jobs/{id}', () => {
  it('answers 409 for a job that has ended, and for the deletion of a vfolder', async () => {
    const ended = await clone();
    await proxy.manager.jobEnd(ended);
    const { vfid } = await proxy.createFolder('scoped');
    const deletion = await proxy.manager.expecting(202, 'POST', '/folder/delete', {
      volume: 'local',
      vfid,
    });
    for (const { json } of [ended, deletion]) {
      const path = `/jobs/${String(json['bgtask_id'])}`;
      expectProblem(await proxy.manager.call('DELETE', path), 409, {
        error_code: 'bgtask_update_conflict',
      });
    }
    expect(await proxy.manager.jobEnd(deletion)).toMatchObject({ state: 'done' });
  });
});

describe('GET /jobs/{id}/events', () => {
  it('tells how the job goes on, until its end, and ends itself', async () => {
    const { json } = await clone();
    const { status, type, text } = await stream(`/jobs/${String(json['bgtask_id'])}/events`);
    expect({ status, type }).toEqual({ status: 200, type: 'text/event-stream' });
    const shown = [...text.matchAll(/^data: (.*)$/gm)].map(
      ([, data]) => JSON.parse(data!) as ShownJob,
    );
    expect(shown.length).toBeGreaterThan(0);
    expect(new Set(shown.map(({ id }) => id))).toEqual(new Set([json['bgtask_id']]));
    expect(shown.at(-1)).toMatchObject({ state: 'done', error: null });
  });

  it('shows a job that has ended once', async () => {
    const started = await clone();
    await proxy.manager.jobEnd(started);
    const { text } = await stream(`/jobs/${String(started.json['bgtask_id'])}/events`);
    expect(text.match(/^data: /gm)).toHaveLength(1);
  });

  it('needs the secret like everything else', async () => {
    const { status } = await stream(`/jobs/${randomUUID()}/events`, '');
    expect(status).toBe(403);
  });
});

/** All that a stream of events says before it ends. */
function stream(
  path: string,
  secret = proxy.secret,
): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { [AUTH_HEADER]: secret, accept: 'text/event-stream' };
    const outgoing = request(`${proxy.manager.origin}${path}`, { headers, agent: false });
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        const type = String(response.headers['content-type']).replace(/;.*/, '');
        resolve({ status: response.statusCode!, type, text });
      });
    });
    outgoing.end();
  });
}
