import { decodeRecord, encodeRecord, reviveJob } from './job-json.js';
import { jobOf, newRecord } from './job-record.js';

const record = {
  ...newRecord({
    id: '11111111-2222-4333-8444-555555555555',
    volume: 'local',
    vfolder: '9f8e7d6c-5b4a-4392-9190-807060504030',
    manifest: {
      kind: 'delete_files' as const,
      // A name that is no UTF-8 is carried by lone surrogates.
      relpaths: ['a/b', 'caf\udce9'],
      recursive: true,
      next: 1,
      root: { dev: '2049', ino: '18446744073709551615' },
    },
  }),
  state: 'running' as const,
  startedAt: new Date(1_000),
  retryAt: new Date(2_000),
  owner: { node: 'here', pid: 7 },
  error: { code: 'UNAVAILABLE' as const, message: 'gone' },
  attempts: 2,
  failures: 1,
};

describe('job records as text', () => {
  it('come back as they were', () => {
    expect(decodeRecord(encodeRecord(record), 'local')).toEqual(record);
  });

  it('belong to the volume they lie on, whatever it was called', () => {
    expect(decodeRecord(encodeRecord(record), 'renamed')?.volume).toBe('renamed');
    expect(encodeRecord(record)).not.toContain('"volume"');
  });

  it.each([
    ['nothing', ''],
    ['half of it', encodeRecord(record).slice(0, 100)],
    ['another format', encodeRecord(record).replace('"format":1', '"format":2')],
    ['an unknown kind', encodeRecord(record).replaceAll('delete_files', 'shred_files')],
    ['an unknown state', encodeRecord(record).replace('"running"', '"jogging"')],
    ['no manifest', JSON.stringify({ ...record, format: 1, manifest: null })],
    ['no object', '[]'],
  ])('are not read from %s', (_, text) => {
    expect(decodeRecord(text, 'local')).toBeUndefined();
  });

  it('let jobs travel between workers', () => {
    expect(reviveJob(JSON.parse(JSON.stringify(jobOf(record))))).toEqual(jobOf(record));
    expect(reviveJob('job')).toBeUndefined();
  });
});
