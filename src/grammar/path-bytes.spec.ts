import fc from 'fast-check';
import { isStorageError } from '../errors/storage-error.js';
import { bytesToPath, pathToBytes } from './path-bytes.js';

describe('path bytes', () => {
  it.each([
    ['plain ASCII', 'a/b.txt', '612f622e747874'],
    ['UTF-8', 'é한😀', 'c3a9ed959cf09f9880'],
    ['a Latin-1 byte', 'caf\udce9', '636166e9'],
    ['a cut-off sequence', '\udce2\udc82', 'e282'],
    ['an encoded surrogate', '\udced\udca0\udc80', 'eda080'],
    ['an overlong slash', '\udcc0\udcaf', 'c0af'],
    ['a stray continuation between letters', 'a\udc80b', '618062'],
    ['nothing', '', ''],
  ])('carries %s both ways', (_, text, hex) => {
    expect(pathToBytes(text).toString('hex')).toBe(hex);
    expect(bytesToPath(Buffer.from(hex, 'hex'))).toBe(text);
  });

  it.each(['\ud800', 'a\udc7f', '\udd00b', '\ud83d/\ude00'])('refuses %j', (text) => {
    let error: unknown;
    try {
      pathToBytes(text);
    } catch (caught) {
      error = caught;
    }
    expect(isStorageError(error, 'INVALID_ARGUMENT')).toBe(true);
  });

  it('brings back every byte string', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (array) => {
        const bytes = Buffer.from(array);
        expect(pathToBytes(bytesToPath(bytes)).equals(bytes)).toBe(true);
      }),
    );
  });

  it('brings back every well-formed text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(bytesToPath(pathToBytes(text))).toBe(text);
      }),
    );
  });

  it('survives JSON, which is how the text travels', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 32 }), (array) => {
        const text: string = JSON.parse(JSON.stringify(bytesToPath(Buffer.from(array))));
        expect(pathToBytes(text)).toEqual(Buffer.from(array));
      }),
    );
  });
});
