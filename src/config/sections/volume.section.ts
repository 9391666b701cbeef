import { Setting } from '../../grammar/section/setting.js';
import { path, record, relativePath, text } from '../../grammar/section/value-type.js';

/** `[volume.<name>]` */
export class VolumeSection {
  /** The table's name, which is the volume's name on the wire. */
  readonly name!: string;

  @Setting('backend', 'What drives the volume: `vfs` works on every mounted filesystem.', text(), {
    required: true,
    example: 'vfs',
  })
  readonly backend!: string;

  @Setting(
    'path',
    'Where the filesystem is mounted on this host. A mount that is missing at start makes the volume unavailable, not the proxy.',
    path(),
    {
      required: true,
      example: '/mnt/vol1',
    },
  )
  readonly path!: string;

  @Setting(
    'fsprefix',
    'Path of the mount inside its filesystem. Only reported to managers.',
    relativePath(),
    {
      default: '.',
    },
  )
  readonly fsprefix!: string;

  @Setting('options', "The backend's own settings; `vfs` has none.", record(), {
    default: () => ({}),
  })
  readonly options!: Record<string, unknown>;
}
