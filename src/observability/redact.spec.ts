import { protectSecrets, redact } from './redact.js';

const jwt = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJvcCI6ImRvd25sb2FkIn0.c2lnbmF0dXJl-_x';

describe('redact', () => {
  it.each([
    [`/download?token=${jwt}&dst_dir=a`, '/download?token=[redacted]&dst_dir=a'],
    ['/upload?dst_dir=a&token=opaque', '/upload?dst_dir=a&token=[redacted]'],
    ['{"url":"/u?token=opaque","n":1}', '{"url":"/u?token=[redacted]","n":1}'],
    ['GET /u?token%3Dopaque', 'GET /u?token%3D[redacted]'],
    [`bad token ${jwt}: expired`, 'bad token [redacted]: expired'],
    ['eyJhbGciOiJub25lIn0.eyJhIjoxfQ.', '[redacted]'],
    [
      '{"X-BackendAI-Storage-Auth-Token":"hush","a":1}',
      '{"X-BackendAI-Storage-Auth-Token":"[redacted]","a":1}',
    ],
    ['{"authorization":"Bearer a b c"}', '{"authorization":"[redacted]"}'],
    ['{"set-cookie":["a=b"],"x":1}', '{"set-cookie":["[redacted]"],"x":1}'],
    ['Cookie: a=b; c=d\r\nHost: h', 'Cookie: [redacted]\r\nHost: h'],
    [
      String.raw`"{\"authorization\":\"Basic eA==\",\"k\":1}"`,
      String.raw`"{\"authorization\":\"[redacted]\",\"k\":1}"`,
    ],
  ])('turns %s into %s', (text, expected) => {
    expect(redact(text)).toBe(expected);
  });

  it.each([
    'token counts are fine',
    '{"title":"Forbidden (missing auth token)"}',
    '/jobs/4a1b2c3d',
    'the tokens=3 of it',
  ])('leaves %s alone', (text) => {
    expect(redact(text)).toBe(text);
  });

  it('hides known secrets, also as JSON and percent-encoded', () => {
    protectSecrets(['s3cr"t/öne', 'short']);
    expect(redact('a s3cr"t/öne b')).toBe('a [redacted] b');
    expect(redact(JSON.stringify({ a: 's3cr"t/öne' }))).toBe('{"a":"[redacted]"}');
    expect(redact(`?x=${encodeURIComponent('s3cr"t/öne')}`)).toBe('?x=[redacted]');
    expect(redact('short text')).toBe('short text');
  });
});
