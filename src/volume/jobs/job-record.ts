import { isSameInode, type Stat } from '../../native/stat.js';
import { JOB_KINDS, NO_PROGRESS, type Job, type JobId, type JobKind } from './job.js';

/** An inode's identity as text, for a 64-bit number is no JSON number. */
export interface InodeId {
  readonly dev: string;
  readonly ino: string;
}

/** Where a vfolder that is being deleted stands; see `trash.ts`. */
export type DeletionPlace = 'trash' | 'sibling' | 'in-place' | 'nowhere';

export interface DeleteVFolderManifest {
  readonly kind: 'delete_vfolder';
  readonly place: DeletionPlace;
  /** Of a vfolder deleted in place: another directory under that name is somebody's new folder. */
  readonly inode: InodeId | null;
}

export interface CloneVFolderManifest {
  readonly kind: 'clone_vfolder';
  /** Of the staging directory. When the destination is this inode, the clone is in place and done. */
  readonly staging: InodeId | null;
}

export interface DeleteFilesManifest {
  readonly kind: 'delete_files';
  /** Text of each RelPath, in the order of the request. */
  readonly relpaths: readonly string[];
  readonly recursive: boolean;
  /** Index of the first path that is not known to be deleted. */
  readonly next: number;
  /** Of the vfolder when the job was asked for: a folder made later under its name is left alone. */
  readonly root: InodeId;
}

export type JobManifest = DeleteVFolderManifest | CloneVFolderManifest | DeleteFilesManifest;

/** Who runs, or ran, the job. */
export interface JobOwner {
  readonly node: string;
  readonly pid: number;
}

/** A job with all that is needed to go on with it after a restart. */
export interface JobRecord<Manifest extends JobManifest = JobManifest> extends Job {
  readonly manifest: Manifest;
  readonly owner: JobOwner | null;
  /**
   * How often another host has taken the job over. Each time has a lock of its own: filesystems keep the locks of a
   * dead host for minutes (CephFS, NFSv4), or until it is back (NFSv3).
   */
  readonly takeovers: number;
  /** Failed attempts in a row. */
  readonly failures: number;
  /** No attempt is made before; `null` when nothing forbids one. */
  readonly retryAt: Date | null;
  /** Whether the end was published. */
  readonly published: boolean;
}

export interface NewJob<Manifest extends JobManifest> {
  readonly id: JobId;
  readonly volume: string;
  readonly vfolder: string;
  readonly source?: Job['source'];
  readonly manifest: Manifest;
}

export function newRecord<Manifest extends JobManifest>(
  job: NewJob<Manifest>,
  now = new Date(),
): JobRecord<Manifest> {
  const { id, volume, vfolder, source = null, manifest } = job;
  return {
    id,
    kind: manifest.kind,
    state: 'pending',
    volume,
    vfolder,
    source,
    progress: NO_PROGRESS,
    createdAt: now,
    startedAt: null,
    updatedAt: now,
    endedAt: null,
    attempts: 0,
    error: null,
    manifest,
    owner: null,
    takeovers: 0,
    failures: 0,
    retryAt: null,
    published: false,
  };
}

/** What outsiders see of it. */
export function jobOf(record: JobRecord): Job {
  const { manifest: _m, owner: _o, takeovers: _t, failures: _f, ...rest } = record;
  const { retryAt: _r, published: _p, ...job } = rest;
  return job;
}

/** Whether the record is of this kind, so that its manifest is known. */
export function isKind<Kind extends JobKind>(
  record: JobRecord,
  kind: Kind,
): record is JobRecord<Extract<JobManifest, { kind: Kind }>> {
  return record.manifest.kind === kind;
}

export function inodeId(stat: Pick<Stat, 'dev' | 'ino'>): InodeId {
  return { dev: stat.dev.toString(), ino: stat.ino.toString() };
}

export function isInode(id: InodeId | null, stat: Pick<Stat, 'dev' | 'ino'>): boolean {
  return id !== null && isSameInode({ dev: BigInt(id.dev), ino: BigInt(id.ino) }, stat);
}

export function isJobKind(value: unknown): value is JobKind {
  return JOB_KINDS.some((kind) => kind === value);
}
