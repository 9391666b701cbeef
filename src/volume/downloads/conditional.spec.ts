import {
  evaluatePreconditions,
  rangeStillApplies,
  type ConditionalHeaders,
} from './conditional.js';

const etag = '"18a2f3c4d5e60000-78"';
const mtimeNs = 784111777_500_000_000n;
const current = { etag, mtimeNs };
const same = 'Sun, 06 Nov 1994 08:49:37 GMT';
const earlier = 'Sun, 06 Nov 1994 08:49:36 GMT';
const later = 'Sun, 06 Nov 1994 08:49:38 GMT';

describe('evaluatePreconditions', () => {
  it.each<[ConditionalHeaders, string]>([
    [{}, 'proceed'],
    [{ 'if-match': etag }, 'proceed'],
    [{ 'if-match': `"other", ${etag}` }, 'proceed'],
    [{ 'if-match': '*' }, 'proceed'],
    [{ 'if-match': '"other"' }, 'failed'],
    [{ 'if-match': `W/${etag}` }, 'failed'],
    [{ 'if-match': 'garbage' }, 'failed'],
    [{ 'if-match': '' }, 'failed'],
    [{ 'if-unmodified-since': same }, 'proceed'],
    [{ 'if-unmodified-since': later }, 'proceed'],
    [{ 'if-unmodified-since': earlier }, 'failed'],
    [{ 'if-unmodified-since': 'yesterday' }, 'proceed'],
    [{ 'if-match': etag, 'if-unmodified-since': earlier }, 'proceed'],
    [{ 'if-none-match': etag }, 'not-modified'],
    [{ 'if-none-match': `W/${etag}` }, 'not-modified'],
    [{ 'if-none-match': `"a,b" , ${etag}` }, 'not-modified'],
    [{ 'if-none-match': '*' }, 'not-modified'],
    [{ 'if-none-match': '"other"' }, 'proceed'],
    [{ 'if-none-match': `unquoted, ${etag}` }, 'proceed'],
    [{ 'if-modified-since': same }, 'not-modified'],
    [{ 'if-modified-since': later }, 'not-modified'],
    [{ 'if-modified-since': earlier }, 'proceed'],
    [{ 'if-modified-since': 'garbage' }, 'proceed'],
    [{ 'if-none-match': '"other"', 'if-modified-since': same }, 'proceed'],
    [{ 'if-none-match': etag, 'if-modified-since': earlier }, 'not-modified'],
    [{ 'if-match': '"other"', 'if-none-match': etag }, 'failed'],
    [{ 'if-match': etag, 'if-none-match': etag }, 'not-modified'],
    [{ 'if-unmodified-since': earlier, 'if-none-match': etag }, 'failed'],
  ])('%j is %s', (headers, expected) => {
    expect(evaluatePreconditions(headers, current)).toBe(expected);
  });

  it('reads a hostile list in linear time', () => {
    const headers = { 'if-none-match': '"'.repeat(1_000_000) };
    expect(evaluatePreconditions(headers, current)).toBe('proceed');
  });
});

describe('rangeStillApplies', () => {
  it.each<[ConditionalHeaders['if-range'], boolean]>([
    [undefined, true],
    [etag, true],
    [`W/${etag}`, false],
    ['"other"', false],
    [same, true],
    [earlier, false],
    [later, false],
    ['garbage', false],
    ['', false],
    [[etag, etag], false],
  ])('%j: %s', (ifRange, expected) => {
    expect(rangeStillApplies({ 'if-range': ifRange }, current)).toBe(expected);
  });
});
