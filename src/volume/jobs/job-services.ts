import { FileDeletionJobs } from './file-deletion.js';
import { JobExecution } from './job-execution.js';
import { JobFeed } from './job-feed.js';
import { JobRecovery } from './job-recovery.js';
import { JobRunner } from './job-runner.js';
import { JobTasks } from './job-tasks.js';
import { Jobs } from './jobs.js';
import { LeftoverIndex } from './leftover-index.js';
import { VFolderCloning } from './vfolder-cloning.js';
import { VFolderDeletion } from './vfolder-deletion.js';

/** What runs jobs; `Jobs`, and the three that take requests, are for others to use. */
export const JOB_SERVICES = [
  JobFeed,
  JobExecution,
  JobRunner,
  JobTasks,
  JobRecovery,
  LeftoverIndex,
  VFolderDeletion,
  VFolderCloning,
  FileDeletionJobs,
  Jobs,
];
