import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configureLogging } from '../logger.js';
import { registry } from '../metrics.js';
import { protectSecrets } from '../redact.js';
import { audit, configureAudit, flushAudit, reopenAudit } from './audit.js';
import type { AuditEntry } from './audit-record.js';
import { LineWriter } from './line-writer.js';

const ENTRY: AuditEntry = {
  plane: 'manager',
  operation: 'file.rename',
  result: 'ok',
  durationMs: 1.23456,
};
let folder: string;
let file: string;
const records = (path = file) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

beforeEach(() => {
  configureLogging({ level: 'silent' as 'fatal' });
  folder = mkdtempSync(join(tmpdir(), 'audit-'));
  file = join(folder, 'audit.jsonl');
});
afterEach(() => {
  configureAudit({ sink: 'off', reads: false, worker: 1 });
  rmSync(folder, { recursive: true });
});

describe('the audit trail', () => {
  it('has one line a record, numbered, which nobody else can read', async () => {
    configureAudit({ sink: 'file', file, reads: false, worker: 3 });
    audit({ ...ENTRY, volume: 'local', paths: ['a\nb', '\udc80'] });
    audit(ENTRY);
    await flushAudit(5_000);
    expect(records()).toEqual([
      expect.objectContaining({
        component: 'audit',
        worker: 3,
        seq: 1,
        operation: 'file.rename',
        volume: 'local',
        paths: ['a\nb', '\udc80'],
        duration_ms: 1.235,
      }),
      expect.objectContaining({ seq: 2 }),
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('goes on in a new file after a rotation, without losing a record', async () => {
    configureAudit({ sink: 'file', file, reads: false, worker: 1 });
    for (let n = 0; n < 500; n++) audit(ENTRY);
    renameSync(file, `${file}.1`);
    const reopened = reopenAudit();
    for (let n = 0; n < 500; n++) audit(ENTRY);
    await reopened;
    audit(ENTRY);
    await flushAudit(5_000);
    const all = [...records(`${file}.1`), ...records()].map(({ seq }) => Number(seq));
    expect(all).toEqual(Array.from({ length: 1001 }, (_, index) => index + 1));
    expect(records().at(-1)).toMatchObject({ seq: 1001 });
  });

  it('holds no secret, whatever a client writes into a path', async () => {
    protectSecrets(['hush-hush-hush']);
    configureAudit({ sink: 'file', file, reads: false, worker: 1 });
    audit({ ...ENTRY, paths: ['hush-hush-hush', 'x?token=eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.c2ln'] });
    await flushAudit(5_000);
    expect(readFileSync(file, 'utf8')).not.toMatch(/hush-hush|eyJ/);
  });

  it('counts what the disk does not take, and says so itself', async () => {
    registry.resetMetrics();
    configureAudit({ sink: 'file', file: '/dev/full', reads: false, worker: 1 });
    audit(ENTRY);
    await flushAudit(5_000);
    expect(await registry.metrics()).toMatch(/audit_records_total\{outcome="lost"} 1/);
  });

  it('does not begin without its file', () => {
    const missing = join(folder, 'missing', 'audit.jsonl');
    expect(() => configureAudit({ sink: 'file', file: missing, reads: false, worker: 1 })).toThrow(
      'ENOENT',
    );
  });
});

describe('LineWriter', () => {
  it('keeps what fits into memory while the sink is slow, and reports the rest', async () => {
    let lost = 0;
    const writer = new LineWriter({
      file,
      maxWaitingBytes: 1000,
      onLoss: (lines) => (lost += lines),
    });
    const kept = Array.from({ length: 200 }, () => writer.write(`${'x'.repeat(9)}\n`));
    expect(kept.filter(Boolean)).toHaveLength(100);
    expect(lost).toBe(100);
    await writer.flush();
    expect(statSync(file).size).toBe(1000);
    expect(writer.write('y\n')).toBe(true);
    await writer.flush();
  });
});
