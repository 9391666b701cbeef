import { Section, Setting } from '../../grammar/section/setting.js';
import { duration, integer } from '../../grammar/section/value-type.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** `[uploads]` */
@Section({ ours: true })
export class UploadsSection {
  @Setting(
    'lock-wait',
    'How long a request for an upload that another request is writing waits for it before it is refused. Clients of the original give up on any refusal.',
    duration({ max: 10 * MINUTE }),
    { default: '30s' },
  )
  readonly lockWaitMs!: number;

  @Setting(
    'idle-timeout',
    'A PATCH whose body stands still for so long is cut off; what arrived is kept.',
    duration({ min: 1_000 }),
    { default: '2m' },
  )
  readonly idleTimeoutMs!: number;

  @Setting(
    'staging-max-age',
    'Unfinished uploads that nobody wrote to for so long are removed; never before their tokens have expired.',
    duration({ min: HOUR }),
    { default: '48h' },
  )
  readonly stagingMaxAgeMs!: number;

  @Setting(
    'finished-retention',
    'How long a finished upload is remembered, so that a client that missed the last answer learns of its success.',
    duration(),
    { default: '24h' },
  )
  readonly finishedRetentionMs!: number;

  @Setting('sweep-interval', 'How often the two are looked for.', duration({ min: MINUTE }), {
    default: '1h',
  })
  readonly sweepIntervalMs!: number;
}

/** `[downloads]` */
@Section({ ours: true })
export class DownloadsSection {
  @Setting(
    'idle-timeout',
    'A download whose client takes no byte for so long is cut off.',
    duration({ min: 1_000 }),
    { default: '2m' },
  )
  readonly idleTimeoutMs!: number;

  @Setting(
    'compression-level',
    'Of the content of archives: 0 stores it as it is, 1 is fastest, 9 smallest. Content that does not shrink is stored whatever the level.',
    integer({ min: 0, max: 9 }),
    { default: 1 },
  )
  readonly compressionLevel!: number;
}
