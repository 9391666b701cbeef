import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ValidateBy } from 'class-validator';
import { Setting } from '../../grammar/section/setting.js';
import { flag, integer, path } from '../../grammar/section/value-type.js';
import { MAX_PROJECT_ID } from '../../native/file-attributes.js';

/** `[volume.<name>.options]` of an xfs volume (protocol section 6.3; all but the first are ours). */
export class XfsOptions {
  @Setting(
    'lock-file-path',
    "Held while the two files below are written. The default is the original's, so that both may run on one host.",
    path(),
    {
      default: () => join(tmpdir(), 'backendai-xfs-file-lock'),
      defaultText: '"backendai-xfs-file-lock" in the directory for temporary files',
    },
  )
  readonly lockFilePath!: string;

  @Setting(
    'project-id-min',
    'New projects get ids from here on. The default keeps clear of ids given by hand and by container runtimes.',
    integer({ min: 1, max: MAX_PROJECT_ID }),
    { default: 1_000_000_000 },
  )
  readonly projectIdMin!: number;

  @Setting(
    'project-id-max',
    'The last id for new projects.',
    integer({ min: 1, max: MAX_PROJECT_ID }),
    { default: 1_999_999_999 },
  )
  @NotBelowMin()
  readonly projectIdMax!: number;

  @Setting(
    'register-projects',
    "Whether projects are listed in the two files below, where the operator's tools look for their names.",
    flag(),
    { default: true },
  )
  readonly registerProjects!: boolean;

  @Setting('projects-file', 'Directory of each project, see projects(5).', path(), {
    default: '/etc/projects',
  })
  readonly projectsFile!: string;

  @Setting('projid-file', 'Name of each project, see projid(5).', path(), {
    default: '/etc/projid',
  })
  readonly projidFile!: string;
}

/** Reported on the end of the range, which is the key that is given less often. */
function NotBelowMin(): PropertyDecorator {
  return ValidateBy({
    name: 'isNotBelowMin',
    validator: {
      validate: (max, args) => {
        const min = (args?.object as XfsOptions | undefined)?.projectIdMin;
        return typeof max !== 'number' || typeof min !== 'number' || max >= min;
      },
      defaultMessage: () => 'must not be below project-id-min',
    },
  });
}
