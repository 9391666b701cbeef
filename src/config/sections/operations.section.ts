import { Section, Setting } from '../../grammar/section/setting.js';
import { duration, fraction, integer, size } from '../../grammar/section/value-type.js';

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

/** `[limits]` */
@Section({ ours: true })
export class LimitsSection {
  @Setting(
    'operation-timeout',
    'Deadline of one metadata operation on a volume; then the request is answered 503. Transfers and jobs have none.',
    duration({ min: 100 }),
    { default: '30s' },
  )
  readonly operationTimeoutMs!: number;

  @Setting(
    'usage-timeout',
    'Deadline of adding up the files of a vfolder for its usage.',
    duration({ min: 100 }),
    { default: '5m' },
  )
  readonly usageTimeoutMs!: number;

  @Setting(
    'volume-share',
    'Part of `server.thread-pool-size` that one volume can occupy, so that a hung one never stops the others.',
    fraction(),
    { default: 0.5 },
  )
  readonly volumeShare!: number;

  @Setting('json-body-size', 'Largest JSON body of a request.', size({ min: 1024, max: 2 ** 30 }), {
    default: '1m',
  })
  readonly jsonBodySizeBytes!: number;
}
