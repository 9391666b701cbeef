import fc from 'fast-check';
import { StorageError } from '../../errors/storage-error.js';
import { prefixPaths, trashPath, vfolderPath } from './layout.js';
import { VFolderId } from './vfolder-id.js';

const SCOPED = 'user:0f0e0d0c-0b0a-4090-8070-605040302010/9f8e7d6c5b4a43929190807060504030';

describe('VFolderId', () => {
  it('reads the example of the protocol and finds its directory', () => {
    const id = VFolderId.parse(SCOPED);
    expect(id.toString()).toBe(SCOPED);
    expect(vfolderPath(id).toString()).toBe(
      '0f0e0d0c0b0a40908070605040302010/9f/8e/7d6c5b4a43929190807060504030',
    );
    expect(prefixPaths(id).map(String)).toEqual([
      '0f0e0d0c0b0a40908070605040302010/9f/8e',
      '0f0e0d0c0b0a40908070605040302010/9f',
    ]);
    expect(trashPath(id.scope).toString()).toBe('0f0e0d0c0b0a40908070605040302010/.trash');
  });

  it('finds unscoped ids in the old layout, directly on the volume', () => {
    const id = VFolderId.parse('9f8e7d6c-5b4a-4392-9190-807060504030');
    expect(id.scope).toBeNull();
    expect(vfolderPath(id).toString()).toBe('9f/8e/7d6c5b4a43929190807060504030');
    expect(trashPath(id.scope).toString()).toBe('.trash');
  });

  it('takes an empty right half for the unscoped form', () => {
    expect(VFolderId.parse('9f8e7d6c5b4a43929190807060504030/').toString()).toBe(
      '9f8e7d6c-5b4a-4392-9190-807060504030',
    );
  });

  it('prints both generations in a form that reads back', () => {
    fc.assert(
      fc.property(
        fc.uuid(),
        fc.option(fc.tuple(fc.constantFrom('user', 'project'), fc.uuid())),
        (folder, scope) => {
          const id = VFolderId.parse(scope ? `${scope[0]}:${scope[1]}/${folder}` : folder);
          expect(id.uuid).toBe(folder);
          expect(id.folder).toHaveLength(32);
          expect(VFolderId.parse(id.toString()).equals(id)).toBe(true);
        },
      ),
    );
  });

  it.each([
    '',
    '/',
    'user:',
    'nope',
    '9f8e7d6c5b4a4392919080706050403',
    'team:0f0e0d0c0b0a40908070605040302010/9f8e7d6c5b4a43929190807060504030',
    'user:0f0e/9f8e7d6c5b4a43929190807060504030',
    '0f0e0d0c0b0a40908070605040302010/9f8e7d6c5b4a43929190807060504030',
    'user:0f0e0d0c0b0a40908070605040302010/../9f8e7d6c5b4a43929190807060504030',
  ])('refuses %p with INVALID_ARGUMENT (M1)', (text) => {
    expect(() => VFolderId.parse(text)).toThrow(
      expect.objectContaining({ constructor: StorageError, code: 'INVALID_ARGUMENT' }) as Error,
    );
  });
});
