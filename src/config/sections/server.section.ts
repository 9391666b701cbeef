import { isIP } from 'node:net';
import { GrammarError } from '../../grammar/grammar-error.js';
import { Section, Setting } from '../../grammar/section/setting.js';
import {
  duration,
  flag,
  integer,
  listOf,
  oneOf,
  textLike,
  type ValueType,
} from '../../grammar/section/value-type.js';

const LOG_FORMATS = ['auto', 'json', 'pretty'] as const;
const ADDRESS_CLASSES = ['loopback', 'linklocal', 'uniquelocal'];

/** An address, a network or one of the words that Fastify's `trustProxy` knows. */
function network(): ValueType<string> {
  return {
    allowed: `an IP address, a network such as "10.0.0.0/8", or one of ${ADDRESS_CLASSES.map((word) => JSON.stringify(word)).join(', ')}`,
    isText: true,
    read(value) {
      if (typeof value !== 'string' || !isNetwork(value)) {
        throw new GrammarError(`must be ${this.allowed}`);
      }
      return value;
    },
  };
}

function isNetwork(value: string): boolean {
  if (ADDRESS_CLASSES.includes(value)) return true;
  const [address = '', bits, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return (
    bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  );
}

/** `[server]`: the process group as a whole. */
@Section({ ours: true })
export class ServerSection {
  @Setting(
    'shutdown-timeout',
    'How long running transfers may go on after SIGTERM. What is left then is cut off; uploads resume from the last acknowledged byte, jobs go on at the next start.',
    duration({ max: 86_400_000 }),
    { default: '30s' },
  )
  readonly shutdownTimeoutMs!: number;

  @Setting(
    'drain-delay',
    'How long the listeners stay open after SIGTERM while `/readyz` already fails, so that load balancers notice. Comes before `shutdown-timeout`.',
    duration({ max: 600_000 }),
    { default: '0s' },
  )
  readonly drainDelayMs!: number;

  @Setting(
    'trusted-proxies',
    'Reverse proxies whose `X-Forwarded-*` headers are believed.',
    listOf(network()),
    { default: [], example: ['10.0.0.0/8', 'loopback'] },
  )
  readonly trustedProxies!: readonly string[];

  @Setting(
    'umask',
    'Permission bits that new files and directories never get: octal digits in quotes. An explicit `mode` of `folder/create` is exact all the same.',
    textLike(/^0?[0-7]{3}$/, 'three octal digits in quotes, such as "022"'),
    { default: '022' },
  )
  readonly umask!: string;

  @Setting(
    'strict-volumes',
    'Refuse to start when a volume is unavailable. Otherwise it is retried in the background, and only its own requests are answered 503.',
    flag(),
    { default: false },
  )
  readonly strictVolumes!: boolean;

  @Setting(
    'thread-pool-size',
    'Threads for file operations in each worker. One volume can occupy at most `limits.volume-share` of them.',
    integer({ min: 4, max: 1024 }),
    { default: 64 },
  )
  readonly threadPoolSize!: number;

  @Setting(
    'log-format',
    '`json`: one object a line; `pretty`: for reading; `auto`: pretty on a terminal.',
    oneOf(...LOG_FORMATS),
    { default: 'auto' },
  )
  readonly logFormat!: (typeof LOG_FORMATS)[number];
}
