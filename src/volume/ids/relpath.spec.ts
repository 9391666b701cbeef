import path from 'node:path';
import fc from 'fast-check';
import type { StorageError } from '../../errors/storage-error.js';
import { bytesToPath } from '../../grammar/path-bytes.js';
import { RelPath } from './relpath.js';

const component = fc
  .uint8Array({ minLength: 1, maxLength: 40 })
  .map((bytes) => Buffer.from(bytes))
  .filter((name) => !name.includes(0) && !name.includes(0x2f))
  .filter((name) => !name.equals(Buffer.from('.')) && !name.equals(Buffer.from('..')));
const noisy = fc.array(fc.constantFrom('a', 'b', 'é', '.', '..', '', '.upload'), { maxLength: 12 });

function codeOf(parse: () => unknown): string {
  try {
    parse();
    return 'ok';
  } catch (error) {
    return (error as StorageError).code;
  }
}

describe('RelPath', () => {
  it.each([
    ['', '.'],
    ['.', '.'],
    ['./', '.'],
    ['a/./b//c/', 'a/b/c'],
    ['a/../b', 'b'],
    ['c/..', '.'],
    ['a/b/../../c', 'c'],
    ['...', '...'],
  ])('reads %p as %p', (text, normal) => {
    expect(RelPath.parse(text).toString()).toBe(normal);
  });

  it.each([
    ['/', 'INVALID_ARGUMENT'],
    ['/etc/passwd', 'INVALID_ARGUMENT'],
    ['a\0b', 'INVALID_ARGUMENT'],
    ['\uD800', 'INVALID_ARGUMENT'],
    ['x'.repeat(256), 'INVALID_ARGUMENT'],
    ['é'.repeat(128), 'INVALID_ARGUMENT'],
    ['a/'.repeat(2048) + 'a', 'INVALID_ARGUMENT'],
    ['..', 'OUTSIDE_VFOLDER'],
    ['a/../..', 'OUTSIDE_VFOLDER'],
    ['a/../../a', 'OUTSIDE_VFOLDER'],
  ])('refuses %.20p with %s (S1)', (text, code) => {
    expect(codeOf(() => RelPath.parse(text))).toBe(code);
  });

  it('round-trips any bytes through text', () => {
    fc.assert(
      fc.property(fc.array(component, { maxLength: 8 }), (parts) => {
        const text = parts.map(bytesToPath).join('/');
        const parsed = RelPath.parse(text);
        expect(parsed.parts).toEqual(parts);
        expect(RelPath.parse(parsed.toString()).equals(parsed)).toBe(true);
      }),
    );
  });

  it('agrees with POSIX normalisation on what stays inside, and refuses the rest', () => {
    fc.assert(
      fc.property(noisy, (parts) => {
        const text = parts.join('/');
        fc.pre(!text.startsWith('/'));
        const normal = path.posix.normalize(text).replace(/\/$/, '');
        const leaves = normal === '..' || normal.startsWith('../');
        if (leaves) expect(codeOf(() => RelPath.parse(text))).toBe('OUTSIDE_VFOLDER');
        else expect(RelPath.parse(text).toString()).toBe(normal);
      }),
    );
  });

  it('keeps clients out of .upload, whatever way it is spelled', () => {
    for (const text of ['.upload', './.upload/x', 'a/../.upload/x']) {
      expect(codeOf(() => RelPath.parseClient(text))).toBe('INVALID_ARGUMENT');
    }
    expect(RelPath.parseClient('a/.upload').toString()).toBe('a/.upload');
  });

  it.each(['', '.', '..', 'a/b', '/', 'a\0', 'x'.repeat(256)])(
    'takes %.10p for no name (M4)',
    (text) => {
      expect(codeOf(() => RelPath.parseName(text))).toBe('INVALID_ARGUMENT');
    },
  );

  it('knows what lies below what', () => {
    const a = RelPath.parse('a');
    expect(RelPath.parse('a/b').startsWith(a)).toBe(true);
    expect(RelPath.parse('ab').startsWith(a)).toBe(false);
    expect(a.startsWith(RelPath.root)).toBe(true);
    expect(a.join(Buffer.from('x')).parent().equals(a)).toBe(true);
    expect(RelPath.root.parent().isRoot).toBe(true);
    expect(RelPath.root.toBytes().toString()).toBe('.');
  });
});
