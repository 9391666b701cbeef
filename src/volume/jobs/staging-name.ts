import { randomBytes } from 'node:crypto';
import { stagingPath } from '../ids/layout.js';
import type { QuotaScopeId } from '../ids/quota-scope-id.js';
import { parseJobId, type JobId } from './job.js';

/** `<job>`, after takeovers `<job>.<takeovers>`; `<job>.discarded.<random>` once its maker was overtaken. */
const NAME = /^([0-9a-f-]{36})(?:\.(?:(\d+)|discarded\.[0-9a-f]{16}))?$/;

/** What a name in a scope's staging directory says. */
export interface StagingName {
  readonly jobId: JobId;
  /** Of its maker; `null` when it was discarded. */
  readonly takeovers: number | null;
}

/** `undefined` when it is none of ours. */
export function parseStagingName(name: string): StagingName | undefined {
  const [text, id = '', takeovers] = NAME.exec(name) ?? [];
  const jobId = parseJobId(id);
  if (text === undefined || jobId === undefined) return undefined;
  if (takeovers !== undefined) return { jobId, takeovers: Number(takeovers) };
  return { jobId, takeovers: text === id ? 0 : null };
}

/**
 * Where a clone is made before it is whole, relative to the mount path. Each takeover has a directory of its own:
 * a host that was only slow still holds descriptors of the one it filled.
 */
export function cloneStagingPath(
  scope: QuotaScopeId,
  { id, takeovers }: { id: JobId; takeovers: number },
): Buffer {
  return beneathStaging(scope, takeovers === 0 ? id : `${id}.${takeovers}`);
}

/** A name that nobody places a clone from. */
export function discardedPath(scope: QuotaScopeId, id: JobId): Buffer {
  return beneathStaging(scope, `${id}.discarded.${randomBytes(8).toString('hex')}`);
}

export function beneathStaging(scope: QuotaScopeId, name: string): Buffer {
  return Buffer.concat([stagingPath(scope), Buffer.from(`/${name}`)]);
}
