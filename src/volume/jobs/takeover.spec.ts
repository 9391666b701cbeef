import { newRecord, type JobRecord } from './job-record.js';
import { Takeover } from './takeover.js';

describe('Takeover', () => {
  let nowMs = 0;
  const takeover = new Takeover('here', 45_000, () => nowMs);
  const record = (changes: Partial<JobRecord>): JobRecord => ({
    ...newRecord({
      id: '11111111-2222-4333-8444-555555555555',
      volume: 'local',
      vfolder: '9f8e7d6c-5b4a-4392-9190-807060504030',
      manifest: { kind: 'clone_vfolder', staging: null },
    }),
    state: 'running',
    owner: { node: 'there', pid: 1 },
    updatedAt: new Date(0),
    ...changes,
  });

  it('allows what nobody runs, and what this host runs, at once', () => {
    expect(takeover.permits(record({ owner: null }))).toBe('run');
    expect(takeover.permits(record({ state: 'pending' }))).toBe('run');
    expect(takeover.permits(record({ owner: { node: 'here', pid: 99 } }))).toBe('run');
  });

  it('allows a job of another host once its record has stood still for long enough (B3)', () => {
    // However old the record claims to be: the clock of the other host may be wrong.
    expect(takeover.permits(record({ updatedAt: new Date(0) }))).toBe('leave');
    nowMs += 44_000;
    expect(takeover.permits(record({ updatedAt: new Date(0) }))).toBe('leave');
    expect(takeover.dueInMs()).toBe(1_000);
    nowMs += 1_000;
    expect(takeover.permits(record({ updatedAt: new Date(0) }))).toBe('take-over');
  });

  it('begins anew with every sign of life', () => {
    expect(takeover.permits(record({ updatedAt: new Date(1) }))).toBe('leave');
    nowMs += 40_000;
    expect(takeover.permits(record({ updatedAt: new Date(2) }))).toBe('leave');
    nowMs += 40_000;
    expect(takeover.permits(record({ updatedAt: new Date(2) }))).toBe('leave');
  });
});
