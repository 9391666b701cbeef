import type { QuotaModel } from '../../../backend/contract/quota-model.js';
import { DomainRig } from '../../testing/domain-rig.js';
import { LocalWorkerBus } from '../../worker-bus.js';
import { FileDeletionJobs } from '../file-deletion.js';
import type { Job } from '../job.js';
import { JobExecution } from '../job-execution.js';
import { JobFeed } from '../job-feed.js';
import { JobPublisher } from '../job-publisher.js';
import { JobRecovery } from '../job-recovery.js';
import { JobRunner } from '../job-runner.js';
import { JobStore } from '../job-store.js';
import { JobTasks } from '../job-tasks.js';
import { Jobs } from '../jobs.js';
import { LeftoverIndex } from '../leftover-index.js';
import { VFolderCloning } from '../vfolder-cloning.js';
import { VFolderDeletion } from '../vfolder-deletion.js';

type Told = [event: string, id: string, state: Job['state'], message?: string];

/** Remembers what it is told; fails instead while `failing` is set. */
class RecordingPublisher extends JobPublisher {
  readonly told: Told[] = [];
  failing = false;

  async jobUpdated(): Promise<void> {}
  vfolderDeleted = this.recorder('vfolderDeleted');
  vfolderDeletionFailed = this.recorder('vfolderDeletionFailed');
  cloneSucceeded = this.recorder('cloneSucceeded');
  cloneFailed = this.recorder('cloneFailed');
  jobDone = this.recorder('jobDone');
  jobFailed = this.recorder('jobFailed');
  jobCancelled = this.recorder('jobCancelled');

  /** Names of the events told of a job, in order. */
  of(id: string | null): string[] {
    return this.told.filter(([, job]) => job === id).map(([event]) => event);
  }

  private recorder(event: string): (job: Job, message?: string) => Promise<void> {
    return async ({ id, state }, message) => {
      if (this.failing) throw new Error('nobody listens');
      this.told.push(message === undefined ? [event, id, state] : [event, id, state, message]);
      await Promise.resolve();
    };
  }
}

const SETTINGS = {
  nodeId: 'here',
  jobs: { retentionMs: 86_400_000, concurrency: 2, heartbeatMs: 10_000, expiredAfterMs: 45_000 },
};

/** Everything that runs jobs, on one volume, as one or several workers of one or several hosts would have it. */
export class JobRig {
  readonly domain: DomainRig;
  readonly bus = new LocalWorkerBus();
  readonly publisher = new RecordingPublisher();

  constructor(
    private readonly overrides: Partial<typeof SETTINGS> = {},
    quota?: QuotaModel,
  ) {
    this.domain = new DomainRig({ ...SETTINGS, ...overrides }, quota);
  }

  async worker({ nodeId = 'here' } = {}) {
    const settings = { ...this.domain.settings, ...this.overrides, nodeId };
    const base = await this.domain.worker();
    const { registry, quotaScopes } = base;
    const feed = new JobFeed(this.bus);
    const execution = new JobExecution(settings, this.publisher, feed);
    const runner = new JobRunner(settings, execution);
    const tasks = new JobTasks(registry, quotaScopes);
    const recovery = new JobRecovery(settings, this.bus, registry, tasks, runner);
    const index = new LeftoverIndex();
    return {
      ...base,
      volume: registry.get('local'),
      store: new JobStore(registry.get('local')),
      feed,
      runner,
      tasks,
      deletion: new VFolderDeletion(registry, tasks, runner, feed),
      cloning: new VFolderCloning(registry, tasks, runner, feed),
      fileDeletion: new FileDeletionJobs(registry, tasks, runner, feed),
      jobs: new Jobs(registry, this.bus, tasks, runner, recovery, feed, index),
    };
  }

  remove(): void {
    this.domain.remove();
  }
}

export type JobWorker = Awaited<ReturnType<JobRig['worker']>>;

/** The job once it has ended. */
export async function untilEnd({ jobs }: JobWorker, id: string | null): Promise<Job> {
  let last: Job | undefined;
  for await (const job of jobs.watch(id!)) last = job;
  return last!;
}

/** Resolves as soon as `condition` holds. */
export async function eventually(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 10));
}
