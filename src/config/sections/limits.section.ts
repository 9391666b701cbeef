import { Section, Setting } from '../../grammar/section/setting.js';
import { duration, fraction, integer, size } from '../../grammar/section/value-type.js';

const SECOND = 1_000;
/** Managers reuse a connection for 15 s; one that we close just then is an error to them. */
const SHORTEST_KEEP_ALIVE_MS = 20 * SECOND;

/** `[limits]`. Counts are those of one worker: no worker asks another before it answers. */
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

  @Setting(
    'connections',
    'Connections of one plane to one worker. With one more, the one that has been idle longest is closed; requests are refused (503) only when all are at work. An idle connection costs about 15 KiB and a descriptor: keep `LimitNOFILE` above three times this.',
    integer({ min: 16, max: 1_000_000 }),
    { default: 8192 },
  )
  readonly connections!: number;

  @Setting(
    'header-size',
    'Largest request line and headers together (431). Tokens travel in the request line and have up to 8 KiB.',
    size({ min: 16 * 1024, max: 2 ** 20 }),
    { default: '32k' },
  )
  readonly headerSizeBytes!: number;

  @Setting(
    'header-timeout',
    'How long a client may take for its headers, or say nothing after it has connected, before it is cut off (408).',
    duration({ min: 100 }),
    { default: '30s' },
  )
  readonly headerTimeoutMs!: number;

  @Setting(
    'keep-alive-timeout',
    'How long a connection may be idle between two requests. Longer than clients keep theirs, or they send requests into closing connections.',
    duration({ min: SHORTEST_KEEP_ALIVE_MS }),
    { default: '75s' },
  )
  readonly keepAliveTimeoutMs!: number;

  @Setting(
    'json-body-size',
    'Largest JSON body of a request (413).',
    size({ min: 1024, max: 2 ** 30 }),
    { default: '1m' },
  )
  readonly jsonBodySizeBytes!: number;

  @Setting(
    'json-body-timeout',
    'How long a client may take for its JSON body (408). Uploads and downloads are watched by `uploads.idle-timeout` and `downloads.idle-timeout` instead: they may last as long as they move.',
    duration({ min: 100 }),
    { default: '30s' },
  )
  readonly jsonBodyTimeoutMs!: number;

  @Setting(
    'transfers-per-token',
    'Downloads and archives of one token at a time (429), so that one link that is passed around cannot take all. Download managers open up to 16 connections to one file. An upload token has one transfer at a time anyway.',
    integer({ min: 1, max: 100_000 }),
    { default: 16 },
  )
  readonly transfersPerToken!: number;

  @Setting(
    'transfers-per-volume',
    'Uploads, downloads and archives of one volume at a time. Downloads beyond are refused (503), uploads wait for `uploads.lock-wait` first. Each costs up to 2 MiB of memory.',
    integer({ min: 1, max: 100_000 }),
    { default: 512 },
  )
  readonly transfersPerVolume!: number;

  @Setting(
    'auth-failures',
    'Wrong secrets, or forged tokens, of one client address (of IPv6 a /64) within `auth-failure-window`; more are answered 429. Right tokens are served all the same, and so is a manager that has authenticated from there before. Set `server.trusted-proxies` where clients come through proxies.',
    integer({ min: 1, max: 1_000_000 }),
    { default: 30 },
  )
  readonly authFailures!: number;

  @Setting(
    'auth-failure-window',
    'The time in which so many failures are forgiven.',
    duration({ min: SECOND }),
    { default: '1m' },
  )
  readonly authFailureWindowMs!: number;
}
