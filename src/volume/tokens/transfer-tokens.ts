import { Inject, Injectable } from '@nestjs/common';
import { createSigner, createVerifier } from 'fast-jwt';
import { StorageError } from '../../errors/storage-error.js';
import { DOMAIN_SETTINGS, type DomainSettings } from '../domain-settings.js';
import type { RelPath } from '../ids/relpath.js';
import type { VFolderRef } from '../ids/vfolder-id.js';
import { Claims } from './claims.js';
import { RecentGrants } from './recent-grants.js';
import { claimError, isSignatureMismatch, tokenError } from './token-errors.js';
import { tokenFingerprint } from './token-fingerprint.js';
import { UnmanagedRoots } from './unmanaged-roots.js';

/** Tokens travel in query strings; longer ones break proxies and servers on the way. */
const MAX_TOKEN_BYTES = 8 * 1024;

export interface DownloadGrant {
  readonly ref: VFolderRef;
  readonly path: RelPath;
  /** Whether the token was made for the directory as an archive. */
  readonly archive: boolean;
  /** Absolute host directory, below a configured root, that stands in for the vfolder. */
  readonly unmanagedPath: string | null;
}

export interface UploadGrant {
  readonly ref: VFolderRef;
  readonly path: RelPath;
  readonly sizeBytes: number;
  /** 32 lower-case hex digits. */
  readonly session: string;
}

export interface ArchiveGrant {
  readonly ref: VFolderRef;
  /** At least one. */
  readonly files: readonly RelPath[];
  /** Name that the archive is saved under; `null` for the default. */
  readonly filename: string | null;
}

/** A grant as a token carried it. */
export type Verified<Grant> = Grant & {
  readonly expiresAt: Date;
  /** Names the token in records, see `tokenFingerprint`. */
  readonly fingerprint: string;
};

type Payload = Readonly<Record<string, unknown>>;
type Verify = (token: string) => Payload;

/**
 * Transfer tokens: compact JWS, HS256, keyed with the UTF-8 bytes of a secret that every worker and replica
 * shares (protocol section 4.1). They are bearer tokens, good until they expire.
 *
 * `verify…` throws StorageError TOKEN_EXPIRED; UNAUTHENTICATED with reason `token-undecodable`,
 * `token-signature` or `token-claims`; OUTSIDE_VFOLDER for a path that leaves. `details.data` is
 * `{ token: reason }`, or for a claim `{ token: { claim: reason } }`.
 */
@Injectable()
export class TransferTokens {
  #sign!: (payload: Payload) => string;
  #verifiers: readonly Verify[] = [];
  #downloads = new RecentGrants<Verified<DownloadGrant>>();
  #uploads = new RecentGrants<Verified<UploadGrant>>();
  readonly #unmanagedRoots: UnmanagedRoots;

  constructor(@Inject(DOMAIN_SETTINGS) private readonly settings: DomainSettings) {
    this.useKeys(settings.tokenKeys);
    this.#unmanagedRoots = new UnmanagedRoots(settings.unmanagedRoots);
  }

  /** From now on the first of `keys` signs, and all of them verify. */
  useKeys(keys: readonly string[]): void {
    const [current] = keys;
    if (current === undefined) throw new Error('a secret for tokens is needed');
    this.#downloads = new RecentGrants();
    this.#uploads = new RecentGrants();
    this.#sign = createSigner({
      key: Buffer.from(current, 'utf8'),
      algorithm: 'HS256',
      noTimestamp: true,
    });
    this.#verifiers = keys.map((key) =>
      createVerifier({
        key: Buffer.from(key, 'utf8'),
        algorithms: ['HS256'],
        requiredClaims: ['exp'],
        cache: false,
      }),
    );
  }

  /**
   * @throws StorageError INVALID_ARGUMENT for an unmanaged path that is not below a configured root;
   *   TOO_LARGE for a token over 8 KiB
   */
  issueDownload({ ref, path, archive, unmanagedPath }: DownloadGrant): string {
    return this.issue({
      op: 'download',
      volume: ref.volume,
      vfid: ref.id.toString(),
      relpath: path.toString(),
      // Named only when they say something: tokens without them are what the original makes (D10).
      ...(archive ? { archive } : {}),
      ...(unmanagedPath === null ? {} : { unmanaged_path: this.admitUnmanaged(unmanagedPath) }),
    });
  }

  verifyDownload(token: string): Verified<DownloadGrant> {
    const known = this.#downloads.get(token);
    if (known) return known;
    const claims = this.claims(token, 'op', 'download');
    const ref = { volume: claims.text('volume'), id: claims.vfolderId('vfid') };
    const grant = {
      ref,
      path: claims.path('relpath', ref.id).detached(),
      archive: claims.optionalFlag('archive'),
      unmanagedPath: this.unmanagedClaim(claims),
      expiresAt: claims.expiresAt(),
      fingerprint: tokenFingerprint(token),
    };
    this.#downloads.add(token, grant);
    return grant;
  }

  /** @throws StorageError TOO_LARGE for a token over 8 KiB */
  issueUpload({ ref, path, sizeBytes, session }: UploadGrant): string {
    return this.issue({
      op: 'upload',
      volume: ref.volume,
      vfid: ref.id.toString(),
      relpath: path.toString(),
      size: sizeBytes,
      session,
    });
  }

  verifyUpload(token: string): Verified<UploadGrant> {
    const known = this.#uploads.get(token);
    if (known) return known;
    const claims = this.claims(token, 'op', 'upload');
    const ref = { volume: claims.text('volume'), id: claims.vfolderId('vfid') };
    const grant = {
      ref,
      path: claims.path('relpath', ref.id).detached(),
      sizeBytes: claims.sizeBytes('size'),
      session: claims.sessionId('session'),
      expiresAt: claims.expiresAt(),
      fingerprint: tokenFingerprint(token),
    };
    this.#uploads.add(token, grant);
    return grant;
  }

  /** @throws StorageError TOO_LARGE for a token over 8 KiB */
  issueArchive({ ref, files, filename }: ArchiveGrant): string {
    return this.issue({
      operation: 'download',
      volume: ref.volume,
      virtual_folder_id: ref.id.toString(),
      files: files.map((path) => path.toString()),
      filename,
    });
  }

  verifyArchive(token: string): Verified<ArchiveGrant> {
    const claims = this.claims(token, 'operation', 'download');
    const ref = { volume: claims.text('volume'), id: claims.vfolderId('virtual_folder_id') };
    return {
      ref,
      files: claims.paths('files', ref.id),
      filename: claims.optionalText('filename'),
      expiresAt: claims.expiresAt(),
      fingerprint: tokenFingerprint(token),
    };
  }

  private issue(claims: Payload): string {
    const exp = Math.floor((Date.now() + this.settings.tokenLifetimeMs) / 1000);
    const token = this.#sign({ ...claims, exp });
    if (token.length <= MAX_TOKEN_BYTES) return token;
    throw new StorageError(
      'TOO_LARGE',
      'the paths are too long for a token: name fewer at a time',
      {
        subject: 'token',
      },
    );
  }

  private claims(token: string, discriminator: string, value: string): Claims {
    const claims = new Claims(this.verify(token));
    claims.expect(discriminator, value);
    return claims;
  }

  private verify(token: string): Payload {
    let mismatch: unknown;
    for (const verify of this.#verifiers) {
      try {
        return verify(token);
      } catch (error) {
        if (!isSignatureMismatch(error)) throw tokenError(error);
        mismatch = error;
      }
    }
    throw tokenError(mismatch);
  }

  private admitUnmanaged(text: string): string {
    const answer = this.#unmanagedRoots.admit(text);
    if ('path' in answer) return answer.path;
    throw new StorageError('INVALID_ARGUMENT', `unmanaged_path: ${answer.reason}`, {
      subject: 'request',
      data: { unmanaged_path: answer.reason },
    });
  }

  private unmanagedClaim(claims: Claims): string | null {
    const text = claims.optionalText('unmanaged_path');
    if (text === null) return null;
    const answer = this.#unmanagedRoots.admit(text);
    if ('path' in answer) return answer.path;
    throw claimError('unmanaged_path', answer.reason);
  }
}
