import { ValidationPipe, type Type } from '@nestjs/common';
import { IsString, getMetadataStorage } from 'class-validator';
import fc from 'fast-check';
import * as archive from '../client-api/dto/archive-query.dto.js';
import * as download from '../client-api/dto/download-query.dto.js';
import * as upload from '../client-api/dto/upload-query.dto.js';
import * as file from '../manager-api/dto/file.dto.js';
import * as folder from '../manager-api/dto/folder.dto.js';
import * as job from '../manager-api/dto/job.dto.js';
import * as quotaScope from '../manager-api/dto/quota-scope.dto.js';
import * as volume from '../manager-api/dto/volume.dto.js';
import { Text } from './dto-decorators.js';
import { parseMembers } from './member-parsers.js';

const modules = [archive, download, upload, file, folder, job, quotaScope, volume];
const classes = modules
  .flatMap((each) => Object.values(each as object))
  .filter((each): each is Type<object> => typeof each === 'function');

function rulesOf(type: Type<object>) {
  return getMetadataStorage().getTargetValidationMetadatas(type, '', true, false);
}

function membersOf(type: Type<object>): string[] {
  return [...new Set(rulesOf(type).map((rule) => rule.propertyName))];
}

/** Those whose members are all of the kind that is parsed; the rest has nested objects, or rules of its own. */
const parsed = classes.filter((type) => {
  const rules = rulesOf(type).filter((rule) => rule.type !== 'conditionalValidation');
  return rules.length > 0 && rules.every((rule) => rule.name === 'coerced');
});
const others = classes.filter((type) => rulesOf(type).length > 0 && !parsed.includes(type));

const USER = 'user:0193e15c-54a8-7d01-a0bc-6b3f1b0c9a11';
const FOLDER = '0193e15c54a87d01a0bc6b3f1b0c9a12';
const values = fc.oneof(
  fc.constantFrom(
    USER,
    FOLDER,
    `${USER}/${FOLDER}`,
    'main',
    'a/b',
    '../up',
    '.',
    '',
    'name',
    '3',
    'yes',
  ),
  fc.constantFrom<unknown>(
    0,
    1,
    7,
    -1,
    1e20,
    0.5,
    true,
    false,
    null,
    [],
    ['a', 'b'],
    [1],
    {},
    { a: 1 },
  ),
  fc.string(),
);

/** Most members, of right and wrong values, and sometimes one too many. */
function parametersOf(type: Type<object>): fc.Arbitrary<Record<string, unknown>> {
  const members = Object.fromEntries(membersOf(type).map((name) => [name, values]));
  return fc
    .tuple(
      fc.oneof(
        { weight: 3, arbitrary: fc.record(members) },
        fc.record(members, { requiredKeys: [] }),
      ),
      fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, fc.record({ more: values })),
    )
    .map(([given, more]) => ({ ...given, ...more }));
}

const OPTIONS = { transform: true, whitelist: true, validateCustomDecorators: true };
const strict = new ValidationPipe({ ...OPTIONS, forbidNonWhitelisted: true });
const lenient = new ValidationPipe(OPTIONS);

describe('parseMembers', () => {
  it.each(parsed.map((type) => [type.name, type] as const))(
    'makes and accepts of %s what class-transformer and class-validator do',
    async (_, type) => {
      const metadata = { type: 'body', metatype: type } as const;
      const property = fc.asyncProperty(parametersOf(type), fc.boolean(), async (given, extras) => {
        const pipe = extras ? lenient : strict;
        const expected: unknown = await pipe
          .transform({ ...given }, metadata)
          .catch(() => undefined);
        expect(parseMembers(type, given, extras)).toStrictEqual(expected);
      });
      await fc.assert(property, { numRuns: 60 });
    },
  );

  it('parses what is asked for most', () => {
    expect(parsed).toEqual(expect.arrayContaining([download.DownloadQueryDto, file.ListFilesDto]));
    expect(parseMembers(download.DownloadQueryDto, { token: 't' }, false)).toEqual({
      token: 't',
      archive: false,
      no_cache: false,
    });
  });

  it('leaves classes with other members to class-validator', () => {
    expect(others).not.toEqual([]);
    for (const type of others) expect(parseMembers(type, {}, true)).toBeUndefined();
    class WithRule {
      @IsString()
      @Text({ description: 'text' })
      name!: string;
    }
    expect(parseMembers(WithRule, { name: 'a' }, false)).toBeUndefined();
  });

  it.each([undefined, null, 'text', 1])('takes %p for no parameters', (given) => {
    expect(parseMembers(download.DownloadQueryDto, given, true)).toBeUndefined();
  });
});
