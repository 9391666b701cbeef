import { Section, Setting } from '../../grammar/section/setting.js';
import {
  either,
  integer,
  listOf,
  oneOf,
  path,
  text,
  textLike,
} from '../../grammar/section/value-type.js';

const account = () => either(integer({ min: 0 }), text());

/** `[agent]` */
@Section({ ours: true })
export class AgentSection {
  @Setting(
    'socket',
    'Unix socket on which `storage-proxy agent` listens, and to which an unprivileged `serve` connects. Its directory is made when it is missing; only root may be able to write there.',
    path(),
    { default: '/run/storage-proxy/agent.sock' },
  )
  readonly socket!: string;

  @Setting('owner', 'Owner of the socket: a name or a number.', account(), {
    defaultText: 'whoever runs the agent, which is root',
    example: 'root',
  })
  readonly owner?: number | string;

  @Setting('group', 'Group of the socket: a name or a number.', account(), {
    defaultText: 'the group that the workers of `serve` run as',
    example: 'backend-ai',
  })
  readonly group?: number | string;

  @Setting(
    'mode',
    'Who may connect to the socket: octal digits in quotes. Whoever can connect must be allowed besides.',
    textLike(/^0?[0-7]{3}$/, 'three octal digits in quotes, such as "660"'),
    { default: '660' },
  )
  readonly mode!: string;

  @Setting(
    'allowed-users',
    'Users whose processes the agent serves: names or numbers. Root always may.',
    listOf(account()),
    { defaultText: 'the user that the workers of `serve` run as', example: ['backend-ai'] },
  )
  readonly allowedUsers?: readonly (number | string)[];

  @Setting(
    'allowed-groups',
    'Groups whose members the agent serves as well: names or numbers.',
    listOf(account()),
    { default: [], example: ['storage-operators'] },
  )
  readonly allowedGroups!: readonly (number | string)[];

  @Setting(
    'start',
    'Whether `serve`, started as root with workers that run as somebody else, runs an agent for them on a private socket: `when-needed` by a volume that cannot do without, `always` (then folders with files of other users can be deleted on every volume), or `never` (workers connect to `socket`).',
    oneOf('when-needed', 'always', 'never'),
    { default: 'when-needed' },
  )
  readonly start!: 'when-needed' | 'always' | 'never';
}
