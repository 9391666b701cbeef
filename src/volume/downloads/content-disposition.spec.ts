import { validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { attachmentDisposition } from './content-disposition.js';

describe('attachmentDisposition', () => {
  it.each<[string, Buffer, string, string]>([
    ['plain ASCII', Buffer.from('a.csv'), 'a.csv', 'a.csv'],
    ['accents', Buffer.from('café.csv'), 'caf.csv', 'caf%C3%A9.csv'],
    ['quotes', Buffer.from('a"b'), 'a\\"b', 'a%22b'],
    ['a backslash at the end', Buffer.from('a\\'), 'a\\\\', 'a%5C'],
    [
      'blanks and signs',
      Buffer.from("a b;c=d,e'f(g)"),
      "a b;c=d,e'f(g)",
      'a%20b%3Bc%3Dd%2Ce%27f%28g%29',
    ],
    ['kept signs', Buffer.from('a_b.c-d~e'), 'a_b.c-d~e', 'a_b.c-d~e'],
    [
      'line breaks',
      Buffer.from('a\r\nSet-Cookie: x\0\x7f'),
      'aSet-Cookie: x',
      'aSet-Cookie%3A%20x',
    ],
    ['no UTF-8', Buffer.from([0x61, 0xff, 0xc3]), 'a', 'a%FF%C3'],
    ['no ASCII at all', Buffer.from('日本'), '', '%E6%97%A5%E6%9C%AC'],
    ['beyond the BMP', Buffer.from('😀.txt'), '.txt', '%F0%9F%98%80.txt'],
  ])('writes %s', (_, name, plain, extended) => {
    expect(attachmentDisposition(name)).toBe(
      `attachment;filename="${plain}"; filename*=UTF-8''${extended}`,
    );
  });

  it('is a valid header for any name, and reads back what can be read back', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const header = attachmentDisposition(Buffer.from(text));
        expect(() => validateHeaderValue('content-disposition', header)).not.toThrow();
        const extended = header.slice(header.lastIndexOf("'") + 1);
        // oxlint-disable-next-line no-control-regex -- control characters are what is dropped
        expect(decodeURIComponent(extended)).toBe(text.replaceAll(/[\0-\x1f\x7f]/g, ''));
      }),
    );
  });
});
