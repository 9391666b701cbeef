import { isEnd } from './job.js';
import type { JobRecord } from './job-record.js';
import type { JobTask } from './job-task.js';

/**
 * Whether another host looks after a job whose lock was just taken, for all that `latest`, its newest record, says.
 * `node` is this host.
 */
export function isElsewhere(task: JobTask, latest: JobRecord, node: string): boolean {
  if (isEnd(latest.state) && latest.published) return false;
  return isOvertaken(task.record, latest) || hasBegun(task, latest, node);
}

/** It has taken the job over since, by a lock of its own, or the one that seemed to be dead has shown itself again. */
function isOvertaken(locked: JobRecord, latest: JobRecord): boolean {
  if (latest.takeovers > locked.takeovers) return true;
  const takesOver = locked.takeovers > latest.takeovers;
  return takesOver && latest.updatedAt.getTime() !== locked.updatedAt.getTime();
}

/**
 * It has begun the job since that was seen to wait. Locks alone do not tell, for some reach no other host (NFS with
 * `nolock`); if that host is dead, it is taken over when it has given no sign of life for long enough. The trash may
 * be swept by several, and somebody may wait for that.
 */
function hasBegun(task: JobTask, { state, owner, takeovers }: JobRecord, node: string): boolean {
  const isTakeover = task.record.takeovers > takeovers;
  const isOthers = owner !== null && owner.node !== node;
  return task.isJournaled && state === 'running' && isOthers && !isTakeover;
}
