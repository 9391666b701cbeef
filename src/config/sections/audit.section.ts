import { Section, Setting } from '../../grammar/section/setting.js';
import { flag, oneOf, path } from '../../grammar/section/value-type.js';

const SINKS = ['stdout', 'file', 'off'] as const;

/** `[audit]` */
@Section({ ours: true })
export class AuditSection {
  @Setting(
    'sink',
    'Where records of changes go, one JSON object a line: `stdout`, among the logs, with `component` `audit`; `file`; or nowhere. No request waits for a record; those that had to be dropped are counted, and the trail itself says so.',
    oneOf(...SINKS),
    { default: 'stdout' },
  )
  readonly sink!: (typeof SINKS)[number];

  @Setting(
    'file',
    'For the sink `file`. All workers append to it, as the user they run as, who has to be able to create it. Opened again on SIGHUP, after it was rotated. Only its owner can read it.',
    path(),
    { example: '/var/log/storage-proxy/audit.jsonl' },
  )
  readonly file?: string;

  @Setting(
    'reads',
    'Record downloads, archives, fetches and the tokens for them as well, which change nothing.',
    flag(),
    { default: false },
  )
  readonly reads!: boolean;
}
