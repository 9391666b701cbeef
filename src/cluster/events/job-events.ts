import { VFolderId } from '../../volume/ids/vfolder-id.js';
import type { Job } from '../../volume/jobs/job.js';
import type { ClusterEvent, EventKind, EventValue } from './event.js';

type Members = readonly (readonly [string, EventValue])[];

export function vfolderDeleted(job: Job): ClusterEvent {
  return anycast(job, 'vfolder_deletion_success', [['vfid', vfidText(job.vfolder)]]);
}

export function vfolderDeletionFailed(job: Job, message: string): ClusterEvent {
  return anycast(job, 'vfolder_deletion_failure', [
    ['vfid', vfidText(job.vfolder)],
    ['message', message],
  ]);
}

export function cloneSucceeded(job: Job): ClusterEvent {
  return anycast(job, 'vfolder_clone_success', cloneMembers(job));
}

export function cloneFailed(job: Job, message: string): ClusterEvent {
  return anycast(job, 'vfolder_clone_failure', [...cloneMembers(job), ['message', message]]);
}

/** Progress in entries; totals are 0 while unknown, as in the original's only update of these tasks. */
export function jobUpdated(job: Job): ClusterEvent {
  const { entries, totalEntries } = job.progress;
  return broadcast(job, 'bgtask_updated', [
    ['task_id', job.id],
    ['current_progress', entries],
    ['total_progress', totalEntries ?? 0],
    ['message', entries === 0 ? 'Task started' : null],
  ]);
}

export type JobEnd = 'bgtask_done' | 'bgtask_failed' | 'bgtask_cancelled';

export function jobEnded(job: Job, name: JobEnd, message: string): ClusterEvent {
  return broadcast(job, name, [
    ['task_id', job.id],
    ['message', message],
  ]);
}

function cloneMembers({ source, vfolder }: Job): Members {
  return [
    ['vfid', vfidText(source?.vfolder ?? vfolder)],
    ['dst_vfid', vfidText(vfolder)],
  ];
}

function anycast(job: Job, name: string, members: Members): ClusterEvent {
  return make(job, name, 'anycast', members);
}

function broadcast(job: Job, name: string, members: Members): ClusterEvent {
  return make(job, name, 'broadcast', members);
}

function make(job: Job, name: string, kind: EventKind, members: Members): ClusterEvent {
  const folders = [job.vfolder, ...(job.source ? [job.source.vfolder] : [])];
  return {
    name,
    kind,
    members,
    job: job.id,
    folders: [...new Set(folders.map((text) => VFolderId.parse(text).folder))],
  };
}

/** Scoped ids as they print; those without a scope as managers with scopes print them: 32 hex digits. */
function vfidText(text: string): string {
  const id = VFolderId.parse(text);
  return id.scope === null ? id.folder : id.toString();
}
