import { Section, Setting } from '../../grammar/section/setting.js';
import { duration, integer } from '../../grammar/section/value-type.js';

/** `[jobs]`: deletes, clones and other work that outlives its request. */
@Section({ ours: true })
export class JobsSection {
  @Setting(
    'concurrency',
    'Jobs of one volume that run at the same time.',
    integer({ min: 1, max: 64 }),
    {
      default: 4,
    },
  )
  readonly concurrency!: number;

  @Setting('finished-retention', 'How long finished jobs stay listed.', duration(), {
    default: '24h',
  })
  readonly finishedRetentionMs!: number;

  @Setting(
    'takeover-after',
    'Other hosts take over jobs of one that gives no sign of life for so long. The same on all proxies of a volume.',
    duration({ min: 9_000 }),
    { default: '45s' },
  )
  readonly takeoverAfterMs!: number;
}

/** `[health]` */
@Section({ ours: true })
export class HealthSection {
  @Setting(
    'probe-interval',
    'How often each volume is probed: mounted, readable, writable, not hung.',
    duration({ min: 1_000 }),
    {
      default: '15s',
    },
  )
  readonly probeIntervalMs!: number;

  @Setting(
    'probe-timeout',
    'A volume that does not answer a probe for so long counts as hung.',
    duration({ min: 100 }),
    {
      default: '5s',
    },
  )
  readonly probeTimeoutMs!: number;
}
