import { IsIn, IsOptional, IsUrl, Max } from 'class-validator';
import { Setting } from './setting.js';
import { validateSection } from './validate-section.js';
import { duration, text } from './value-type.js';

class DecoratedOptions {
  @Setting('api-token', 'Token.', text(), { required: true, secret: true })
  readonly apiToken!: string;
  @Setting('cache-ttl', 'Time.', duration(), { default: '2m' })
  readonly cacheTtlMs!: number;
}

class PlainOptions {
  @IsUrl({ require_tld: false })
  endpoint!: string;
  @IsOptional()
  @IsIn(['v1', 'v2'])
  apiVersion = 'v2';
  @Max(10)
  retries = 3;
}

const PATH = ['volume', 'fast', 'options'];

describe('validateSection', () => {
  it('reads both spellings and fills defaults', () => {
    const { value, problems } = validateSection(DecoratedOptions, { api_token: 't' }, PATH);
    expect(problems).toEqual([]);
    expect(value).toEqual({ apiToken: 't', cacheTtlMs: 120_000 });
    expect(value).toBeInstanceOf(DecoratedOptions);
  });

  it('names the full path of a problem and hides secrets', () => {
    const table = { 'api-token': 77, 'cache-tll': 1 };
    expect(validateSection(DecoratedOptions, table, PATH, { strict: true }).problems).toEqual([
      'volume.fast.options.cache-tll: unknown key; did you mean volume.fast.options.cache-ttl?',
      'volume.fast.options.api-token = (secret): must be text that is not empty',
    ]);
  });

  it("takes a class with class-validator's decorators alone, initialisers as defaults", () => {
    const { value, problems } = validateSection(PlainOptions, { endpoint: 'http://a' }, PATH);
    expect(problems).toEqual([]);
    expect(value).toEqual({ endpoint: 'http://a', apiVersion: 'v2', retries: 3 });
    expect(
      validateSection(PlainOptions, { api_version: 'v3', retries: 11 }, PATH).problems,
    ).toEqual([
      'volume.fast.options.endpoint = nothing: must be a URL address',
      'volume.fast.options.api-version = "v3": must be one of the following values: v1, v2',
      'volume.fast.options.retries = 11: must not be greater than 10',
    ]);
  });

  it('takes a class without any keys, and no table at all', () => {
    class None {}
    expect(validateSection(None, undefined, PATH).problems).toEqual([]);
    expect(validateSection(None, { a: 1 }, PATH).warnings).toEqual([
      'volume.fast.options.a: unknown key; known here: none',
    ]);
  });
});
