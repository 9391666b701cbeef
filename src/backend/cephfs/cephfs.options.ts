import { Setting } from '../../grammar/section/setting.js';
import { duration, integer, listOf, text, textLike } from '../../grammar/section/value-type.js';

/** `[volume.<name>.options]` of a CephFS volume. The original has none (protocol section 6.4). */
export class CephFsOptions {
  @Setting(
    'max-files',
    'Most files and directories of a quota scope, or of a vfolder of an unscoped id: `ceph.quota.max_files` of those that are made from now on, and of those whose limit is set. 0: unlimited, and what was set otherwise stays.',
    integer({ min: 0 }),
    { default: 0 },
  )
  readonly maxFiles!: number;

  @Setting(
    'prometheus-url',
    "Address of the metrics of the manager's `prometheus` module. Left out: no performance figures, and no `metric` capability.",
    textLike(/^https?:\/\/[^/?#@\s]+(\/[^#\s]*)?$/, 'a URL such as "http://ceph-mgr:9283/metrics"'),
    { example: 'http://ceph-mgr:9283/metrics' },
  )
  readonly prometheusUrl?: string;

  @Setting(
    'prometheus-timeout',
    'Longest time that one reading of the metrics may take.',
    duration({ min: 100, max: 60_000 }),
    { default: '5s' },
  )
  readonly prometheusTimeoutMs!: number;

  @Setting(
    'prometheus-interval',
    'The `scrape_interval` of the `prometheus` module, which repeats its answer in between.',
    duration({ min: 1_000, max: 300_000 }),
    { default: '15s' },
  )
  readonly prometheusIntervalMs!: number;

  @Setting(
    'pools',
    'Names of the data pools whose figures are summed up. Left out: the pool of the volume’s own directory.',
    listOf(text()),
    { example: ['cephfs_data'] },
  )
  readonly pools?: readonly string[];
}
