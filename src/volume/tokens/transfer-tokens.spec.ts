import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { StorageError } from '../../errors/storage-error.js';
import type { DomainSettings } from '../domain-settings.js';
import { RelPath } from '../ids/relpath.js';
import { newSessionId } from '../ids/session-id.js';
import { VFolderId, type VFolderRef } from '../ids/vfolder-id.js';
import { TransferTokens } from './transfer-tokens.js';

const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';
const UNSCOPED = '9f8e7d6c-5b4a-4392-9190-807060504030';
const KEY = 'some-secret-shared-by-every-worker';
const ref = (vfid: string): VFolderRef => ({ volume: 'volume1', id: VFolderId.parse(vfid) });
const p = (text: string): RelPath => RelPath.parse(text);

function tokens(overrides: Partial<DomainSettings> = {}): TransferTokens {
  const settings = { tokenKeys: [KEY], tokenLifetimeMs: 60_000, unmanagedRoots: [], ...overrides };
  return new TransferTokens(settings as unknown as DomainSettings);
}

const base64url = (value: unknown): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token that the original, or an attacker, would make. */
function forge(payload: object, { header = { alg: 'HS256', typ: 'JWT' }, key = KEY } = {}): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
}

function payloadOf(token: string): unknown {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
}

function refusal(verify: () => unknown): { code: string; reason?: string; data?: unknown } {
  try {
    verify();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    return { code: error.code, ...error.details };
  }
  throw new Error('accepted');
}

const soon = (): number => Math.floor(Date.now() / 1000) + 60;

describe('TransferTokens', () => {
  it.each([SCOPED, UNSCOPED])('makes exactly the claims of the protocol for %s', (vfid) => {
    const session = newSessionId();
    const issued = tokens();
    const path = p('in/data.csv');
    const exp = expect.any(Number) as number;
    expect(
      payloadOf(issued.issueUpload({ ref: ref(vfid), path, sizeBytes: 33554437, session })),
    ).toEqual({
      op: 'upload',
      volume: 'volume1',
      vfid,
      relpath: 'in/data.csv',
      size: 33554437,
      session,
      exp,
    });
    const plain = { ref: ref(vfid), path: p('.'), archive: false, unmanagedPath: null };
    expect(payloadOf(issued.issueDownload(plain))).toEqual({
      op: 'download',
      volume: 'volume1',
      vfid,
      relpath: '.',
      exp,
    });
    expect(
      payloadOf(issued.issueArchive({ ref: ref(vfid), files: [p('a'), p('b/c')], filename: null })),
    ).toEqual({
      operation: 'download',
      volume: 'volume1',
      virtual_folder_id: vfid,
      files: ['a', 'b/c'],
      filename: null,
      exp,
    });
  });

  it('signs like any HS256 implementation, with the UTF-8 bytes of the secret', () => {
    const key = 'schlüssel🔑';
    const token = tokens({ tokenKeys: [key] }).issueDownload({
      ref: ref(SCOPED),
      path: p('a'),
      archive: false,
      unmanagedPath: null,
    });
    expect(forge(payloadOf(token) as object, { key })).toBe(token);
  });

  it('reads back what it made, whatever bytes the path holds', () => {
    const codec = tokens();
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.nat(), (bytes, sizeBytes) => {
        const name = Buffer.from(bytes.filter((byte) => byte !== 0 && byte !== 0x2f));
        fc.pre(name.length > 0 && !['.', '..', '.upload'].includes(name.toString()));
        const grant = {
          ref: ref(SCOPED),
          path: RelPath.root.join(name),
          sizeBytes,
          session: newSessionId(),
        };
        const verified = codec.verifyUpload(codec.issueUpload(grant));
        expect(verified.path.equals(grant.path)).toBe(true);
        expect(verified.ref.id.equals(grant.ref.id)).toBe(true);
        expect(verified).toMatchObject({ sizeBytes, session: grant.session });
      }),
    );
  });

  it('verifies with every secret and signs with the first (rotation)', () => {
    const grant = { ref: ref(SCOPED), path: p('a'), archive: false, unmanagedPath: null };
    const before = tokens({ tokenKeys: ['old'] });
    const after = tokens({ tokenKeys: ['new', 'old'] });
    expect(after.verifyDownload(before.issueDownload(grant)).path.toString()).toBe('a');
    expect(refusal(() => before.verifyDownload(after.issueDownload(grant)))).toMatchObject({
      code: 'UNAUTHENTICATED',
      reason: 'token-signature',
    });
  });

  it('keeps of a token no more memory than its path needs', () => {
    const codec = tokens();
    const granted = { ref: ref(SCOPED), path: p('dir/file') };
    const download = codec.issueDownload({ ...granted, archive: false, unmanagedPath: null });
    const upload = codec.issueUpload({ ...granted, sizeBytes: 1, session: '0'.repeat(32) });
    for (const { path } of [codec.verifyDownload(download), codec.verifyUpload(upload)]) {
      expect(path.toString()).toBe('dir/file');
      expect(path.parts.map(({ buffer }) => buffer.byteLength)).toEqual([3, 4]);
    }
  });

  it('forgets with a secret what tokens of that secret granted', () => {
    const mine = tokens({ tokenKeys: ['old'] });
    const path = p('a');
    const download = mine.issueDownload({
      ref: ref(SCOPED),
      path,
      archive: false,
      unmanagedPath: null,
    });
    const session = '0'.repeat(32);
    const upload = mine.issueUpload({ ref: ref(SCOPED), path, sizeBytes: 1, session });
    mine.verifyDownload(download);
    mine.verifyUpload(upload);
    mine.useKeys(['new']);
    for (const call of [() => mine.verifyDownload(download), () => mine.verifyUpload(upload)]) {
      expect(refusal(call)).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'token-signature' });
    }
  });

  it('takes no token of one kind for the other', () => {
    const mine = tokens();
    const grant = { ref: ref(SCOPED), path: p('a'), archive: false, unmanagedPath: null };
    const token = mine.issueDownload(grant);
    mine.verifyDownload(token);
    expect(refusal(() => mine.verifyUpload(token))).toMatchObject({ reason: 'token-claims' });
  });

  it('accepts extra claims, and tokens of the original', () => {
    const token = forge({
      op: 'download',
      volume: 'volume1',
      vfid: SCOPED,
      relpath: 'a/b',
      exp: soon(),
      iss: 'somebody',
    });
    expect(tokens().verifyDownload(token)).toMatchObject({ archive: false, unmanagedPath: null });
  });

  const download = { op: 'download', volume: 'volume1', vfid: SCOPED, relpath: 'a' };
  it.each<[string, string, object]>([
    ['not a JWT', 'nonsense', { code: 'UNAUTHENTICATED', reason: 'token-undecodable' }],
    ['no payload', 'a.b.c', { code: 'UNAUTHENTICATED', reason: 'token-undecodable' }],
    [
      'another secret',
      forge({ ...download, exp: soon() }, { key: 'x' }),
      { code: 'UNAUTHENTICATED', reason: 'token-signature' },
    ],
    [
      'alg none',
      `${base64url({ alg: 'none', typ: 'JWT' })}.${base64url({ ...download, exp: soon() })}.`,
      { code: 'UNAUTHENTICATED', reason: 'token-signature' },
    ],
    [
      'alg HS512 in the header',
      forge({ ...download, exp: soon() }, { header: { alg: 'HS512', typ: 'JWT' } }),
      { code: 'UNAUTHENTICATED', reason: 'token-signature' },
    ],
    ['expired', forge({ ...download, exp: 1 }), { code: 'TOKEN_EXPIRED' }],
    ['no exp', forge(download), { code: 'UNAUTHENTICATED', reason: 'token-claims' }],
    [
      'exp as text',
      forge({ ...download, exp: String(soon()) }),
      { code: 'UNAUTHENTICATED', reason: 'token-claims' },
    ],
    [
      'another operation',
      forge({ ...download, op: 'upload', exp: soon() }),
      { reason: 'token-claims', data: { token: { op: 'expected "download"' } } },
    ],
    [
      'no relpath',
      forge({ ...download, relpath: undefined, exp: soon() }),
      { reason: 'token-claims', data: { token: { relpath: 'is required' } } },
    ],
    [
      'a blank relpath',
      forge({ ...download, relpath: '', exp: soon() }),
      { reason: 'token-claims', data: { token: { relpath: 'blank value is not allowed' } } },
    ],
    [
      'a bad vfid',
      forge({ ...download, vfid: 'x', exp: soon() }),
      { reason: 'token-claims', data: { token: { vfid: 'cannot convert value to UUID' } } },
    ],
    [
      'a path out of the vfolder (S1)',
      forge({ ...download, relpath: '../x', exp: soon() }),
      { code: 'OUTSIDE_VFOLDER', vfid: SCOPED, paths: ['../x'] },
    ],
    [
      'an unmanaged path (S18)',
      forge({ ...download, unmanaged_path: '/etc', exp: soon() }),
      { code: 'UNAUTHENTICATED', reason: 'token-claims' },
    ],
  ])('refuses a token with %s', (_, token, expected) => {
    expect(refusal(() => tokens().verifyDownload(token))).toMatchObject(expected);
  });

  it('refuses an upload session that is no file name of ours', () => {
    const token = forge({
      ...download,
      op: 'upload',
      size: 1,
      session: '../../x',
      exp: soon(),
    });
    expect(refusal(() => tokens().verifyUpload(token))).toMatchObject({ reason: 'token-claims' });
  });

  it('carries archive and unmanaged_path below configured roots only (D10, S18)', () => {
    const codec = tokens({ unmanagedRoots: ['/mnt/shared/'] });
    const grant = { ref: ref(SCOPED), path: p('a'), archive: true };
    const token = codec.issueDownload({ ...grant, unmanagedPath: '/mnt/shared/x/../y/' });
    expect(codec.verifyDownload(token)).toMatchObject({
      archive: true,
      unmanagedPath: '/mnt/shared/y',
    });
    for (const unmanagedPath of ['/mnt/shared/../x', '/mnt/sharedx', 'mnt/shared', '/']) {
      expect(refusal(() => codec.issueDownload({ ...grant, unmanagedPath })).code).toBe(
        'INVALID_ARGUMENT',
      );
    }
    expect(refusal(() => tokens().verifyDownload(token)).code).toBe('UNAUTHENTICATED');
  });

  it('refuses to issue a token over 8 KiB', () => {
    const files = Array.from({ length: 300 }, (_, n) => p(`${'d'.repeat(30)}/${n}`));
    expect(
      refusal(() => tokens().issueArchive({ ref: ref(SCOPED), files, filename: null })),
    ).toMatchObject({ code: 'TOO_LARGE', subject: 'token' });
  });

  it('answers any text with a StorageError', () => {
    const codec = tokens();
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json()), (text) => {
        expect(refusal(() => codec.verifyArchive(text)).code).toBe('UNAUTHENTICATED');
        expect(refusal(() => codec.verifyArchive(forge({ a: text }))).code).toBe('UNAUTHENTICATED');
      }),
    );
  });
});
