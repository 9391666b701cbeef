import { ApiProperty } from '@nestjs/swagger';
import { parseBinarySize } from '../../grammar/binary-size.js';
import { lenientInt } from '../../grammar/lenient.js';
import { Coerced, ParsedText, type MemberOptions } from '../../http/dto-decorators.js';
import { QuotaScopeId } from '../../volume/ids/quota-scope-id.js';
import { RelPath } from '../../volume/ids/relpath.js';
import { VFolderId } from '../../volume/ids/vfolder-id.js';
import { EXAMPLE } from './examples.js';

type Some = Partial<MemberOptions>;

const HEX = '[0-9A-Fa-f]';
const UUID = `(${HEX}{32}|${HEX}{8}(-${HEX}{4}){3}-${HEX}{12})`;
/** JSON schema has no flag for letter case. */
const SCOPE = `([Uu][Ss][Ee][Rr]|[Pp][Rr][Oo][Jj][Ee][Cc][Tt]):${UUID}`;

/** A vfolder id of either generation. */
export function VFolderIdText(options: Some = {}): PropertyDecorator {
  return ParsedText((text) => VFolderId.parse(text), {
    description:
      'VFolder id: `<user|project>:<uuid>/<uuid>`, or a bare UUID for folders of the 20.09 to 22.09 generation',
    example: EXAMPLE.vfid,
    pattern: `^(${SCOPE}/)?${UUID}$`,
    ...options,
  });
}

/** A quota scope id. */
export function QuotaScopeIdText(options: Some = {}): PropertyDecorator {
  return ParsedText((text) => QuotaScopeId.parse(text), {
    description: 'Quota scope id: `<user|project>:<uuid>`',
    example: EXAMPLE.scope,
    pattern: `^${SCOPE}$`,
    ...options,
  });
}

/** A path inside the vfolder. */
export function RelPathText(options: Some = {}): PropertyDecorator {
  return ParsedText((text) => RelPath.parseClient(text), {
    allowBlank: true,
    description:
      'POSIX path inside the vfolder, relative; `.` is the folder itself. Bytes that are not UTF-8 are the code units U+DC80 to U+DCFF',
    example: EXAMPLE.relpath,
    ...options,
  });
}

/** How far figures may be behind; only there when they are. */
export function LagSeconds(): PropertyDecorator {
  return ApiProperty({
    type: 'integer',
    required: false,
    example: 10,
    description:
      'Only when the figures come from counters of the filesystem: what was written or deleted in these last seconds may be missing',
  });
}

/** A limit as an integer, maybe as text. @throws Error with the reason, for what is no limit */
export function plainLimitBytes(value: unknown): number {
  return notNegative(lenientInt(value));
}

/** A limit as a size such as `10g`. @throws Error with the reason, for what is no limit */
export function limitBytes(value: unknown): number {
  return notNegative(parseBinarySize(value));
}

/** Both grammars know negative numbers. */
function notNegative(bytes: number): number {
  if (bytes < 0) throw new Error('value should be greater than or equal to 0');
  return bytes;
}

/** A byte count that may be text, and may be `null` for "no limit". */
export function LimitBytes(options: Some = {}): PropertyDecorator {
  return Coerced(
    plainLimitBytes,
    {
      anyOf: [
        { type: 'integer', minimum: 0 },
        { type: 'string', pattern: '^\\s*\\d{1,15}\\s*$' },
      ],
    },
    { description: 'Limit in bytes', example: 10_737_418_240, ...options },
  );
}
