import { decodeMsgpack } from '../../../test/support/msgpack.js';
import { jobOf, newRecord } from '../../volume/jobs/job-record.js';
import { broadcastText, streamFields } from './encode-event.js';
import type { ClusterEvent } from './event.js';
import * as events from './job-events.js';

const SOURCE = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const COPY = 'project:0f0e0d0c-0b0a-4090-8070-605040302011/1f8e7d6c5b4a43929190807060504030';
const ID = '5d6e1a0c-7a1b-4f5e-9c55-0c6a2f9d1e77';

const deletion = jobOf(
  newRecord({
    id: ID,
    volume: 'local',
    vfolder: SOURCE,
    manifest: { kind: 'delete_vfolder', place: 'trash', inode: null },
  }),
);
const clone = jobOf(
  newRecord({
    id: ID,
    volume: 'local',
    vfolder: COPY,
    source: { volume: 'other', vfolder: SOURCE },
    manifest: { kind: 'clone_vfolder', staging: null },
  }),
);
const progress = { entries: 3, bytes: 30, totalEntries: 7, totalBytes: null };

/** Protocol section 8.4: names, kinds, and members in the order of the positional encoding. */
const TABLE: readonly (readonly [ClusterEvent, string, ClusterEvent['kind'], object])[] = [
  [events.vfolderDeleted(deletion), 'vfolder_deletion_success', 'anycast', { vfid: SOURCE }],
  [
    events.vfolderDeletionFailed(deletion, 'Größe'),
    'vfolder_deletion_failure',
    'anycast',
    { vfid: SOURCE, message: 'Größe' },
  ],
  [
    events.cloneSucceeded(clone),
    'vfolder_clone_success',
    'anycast',
    { vfid: SOURCE, dst_vfid: COPY },
  ],
  [
    events.cloneFailed(clone, 'no room'),
    'vfolder_clone_failure',
    'anycast',
    { vfid: SOURCE, dst_vfid: COPY, message: 'no room' },
  ],
  [
    events.jobUpdated({ ...clone, progress }),
    'bgtask_updated',
    'broadcast',
    { task_id: ID, current_progress: 3, total_progress: 7, message: null },
  ],
  ...(['bgtask_done', 'bgtask_failed', 'bgtask_cancelled'] as const).map(
    (name) =>
      [
        events.jobEnded(clone, name, 'how it went'),
        name,
        'broadcast',
        { task_id: ID, message: 'how it went' },
      ] as const,
  ),
];

describe.each(TABLE)('the event %#', (event, name, kind, members) => {
  it(`is ${name}, with its members in both encodings`, () => {
    expect(event.kind).toBe(kind);
    const flat = streamFields(event);
    const fields = new Map<unknown, unknown>();
    for (let at = 0; at < flat.length; at += 2) fields.set(flat[at], flat[at + 1]);
    expect([...fields.keys()]).toEqual(['name', 'source', 'payload', 'args']);
    expect(fields.get('name')).toBe(name);
    expect(fields.get('source')).toBe('storage');
    expect(fields.get('payload')).toBe(JSON.stringify(members));
    expect(decodeMsgpack(fields.get('args') as Buffer)).toEqual(Object.values(members));
    expect(JSON.parse(broadcastText(event))).toEqual({
      name,
      source: 'storage',
      payload: fields.get('payload'),
      args: (fields.get('args') as Buffer).toString('base64'),
    });
  });
});
