import { ValidateBy } from 'class-validator';
import { Setting } from '../../grammar/section/setting.js';
import {
  duration,
  flag,
  integer,
  listOf,
  oneOf,
  path,
  text,
  textLike,
} from '../../grammar/section/value-type.js';

/**
 * `[volume.<name>.options]` of a FlashBlade volume. The original's keys (protocol section 6.5) come first and mean
 * the same, but that `purity_ssl_verify`, which it ignores, is honoured.
 */
export class PureStorageOptions {
  @Setting(
    'purity-endpoint',
    'Base URL of the array, of its management address.',
    textLike(/^https?:\/\/[^/?#@\s]+(\/[^?#\s]*)?$/, 'a URL such as "https://flashblade.example"'),
    { required: true, example: 'https://flashblade.example' },
  )
  readonly endpoint!: string;

  @Setting('purity-api-token', 'API token of a read-only user of the array.', text(), {
    secret: true,
    example: 'T-01234567-89ab-cdef-0123-456789abcdef',
  })
  @OneOfBoth('tokenFile', 'missing; give purity_api_token or purity_api_token_file, one of the two')
  readonly apiToken?: string;

  @Setting(
    'purity-api-token-file',
    'Absolute path of a file that holds the token instead; a line end behind it is ignored.',
    path(),
    { example: '/run/secrets/purity-token' },
  )
  readonly tokenFile?: string;

  @Setting(
    'purity-api-version',
    'REST version, `1.8` to `1.12` or `2.0` and later. Left out: the newest that the array and the proxy know.',
    textLike(
      /^(1\.([89]|1[0-2])|2\.\d{1,3})(\.\d{1,3})?$/,
      'a version from "1.8" to "1.12", or "2.0" and later',
    ),
    { example: '1.8' },
  )
  readonly apiVersion?: string;

  @Setting('purity-fs-name', 'Name of the file system on the array that is mounted.', text(), {
    required: true,
    example: 'vfolders',
  })
  readonly fileSystem!: string;

  @Setting(
    'purity-ssl-verify',
    'Whether the certificate of the array must be valid. Off, whoever is on the way can read the API token.',
    flag(),
    { default: true },
  )
  readonly verifyTls!: boolean;

  @Setting(
    'purity-ca-file',
    'Absolute path of a PEM file with the authority of the certificate of the array, instead of those of the system.',
    path(),
    { example: '/etc/ssl/flashblade-ca.pem' },
  )
  readonly caFile?: string;

  @Setting(
    'purity-timeout',
    'Longest time that one call of the array may take.',
    duration({ min: 100, max: 60_000 }),
    {
      default: '5s',
    },
  )
  readonly timeoutMs!: number;

  @Setting(
    'rapidfile',
    '`required`: without the RapidFile Toolkit the volume is unavailable. `off`: plain system calls only, and no `fast-scan`.',
    oneOf('required', 'off'),
    { default: 'required' },
  )
  readonly rapidFile!: 'required' | 'off';

  @Setting(
    'rapidfile-path',
    'Absolute path of the folder with the programs of the toolkit. Left out: the folders of `PATH`.',
    path(),
    { example: '/usr/bin' },
  )
  readonly rapidFilePath?: string;

  @Setting(
    'rapidfile-confinement',
    '`required`: programs that go into trees run only where the kernel (Landlock) keeps them inside; elsewhere the proxy walks itself. `off`: they run unconfined, which is safe only while nobody writes to the folders they work on.',
    oneOf('required', 'off'),
    { default: 'required' },
  )
  readonly confinement!: 'required' | 'off';

  @Setting(
    'rapidfile-readable',
    'Absolute paths of files and directories that confined programs may read and execute beside themselves, their own directory and the libraries of the system.',
    listOf(path()),
    { default: [] },
  )
  readonly rapidFileReadable!: string[];

  @Setting(
    'rapidfile-list-from',
    'Entries from which on a directory is listed by a program; a smaller one is quicker read with system calls.',
    integer({ min: 0 }),
    { default: 1000 },
  )
  readonly listFrom!: number;

  @Setting(
    'rapidfile-processes',
    'Programs of the toolkit at a time, in each worker: so many for listings, and so many for trees.',
    integer({ min: 1, max: 64 }),
    {
      default: 4,
    },
  )
  readonly processes!: number;

  @Setting(
    'fast-remove',
    'Whether deleted trees are renamed into `.fast-remove`, for the array to delete in the background. The file system must have its fast-remove directory enabled.',
    flag(),
    { default: false },
  )
  readonly fastRemove!: boolean;

  @Setting(
    'local-locks',
    '`refuse`: a mount with `nolock` or `local_lock` makes the volume unavailable, since its locks would not be seen by other hosts. `allow`: only this host serves the volume.',
    oneOf('refuse', 'allow'),
    { default: 'refuse' },
  )
  readonly localLocks!: 'refuse' | 'allow';

  @Setting(
    'require-nfs',
    'Whether the path must be an NFS mount, so that nothing is written to what lies below a missing one.',
    flag(),
    { default: true },
  )
  readonly requireNfs!: boolean;
}

/** Exactly one of this and the other property has a value. */
function OneOfBoth(other: keyof PureStorageOptions, message: string): PropertyDecorator {
  return ValidateBy({
    name: 'oneOfBoth',
    validator: {
      validate: (value, args) =>
        (value === undefined) !==
        ((args?.object as PureStorageOptions | undefined)?.[other] === undefined),
      defaultMessage: () => message,
    },
  });
}
