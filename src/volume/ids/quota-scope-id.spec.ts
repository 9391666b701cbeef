import fc from 'fast-check';
import { StorageError } from '../../errors/storage-error.js';
import { QuotaScopeId } from './quota-scope-id.js';

describe('QuotaScopeId', () => {
  it('reads the example of the protocol', () => {
    const id = QuotaScopeId.parse('project:5d6e1a0c-7a1b-4f5e-9c55-0c6a2f9d1e77');
    expect(id.type).toBe('project');
    expect(id.pathname).toBe('5d6e1a0c7a1b4f5e9c550c6a2f9d1e77');
    expect(id.uuid).toBe('5d6e1a0c-7a1b-4f5e-9c55-0c6a2f9d1e77');
  });

  it('prints any accepted spelling in one form that reads back', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('user', 'USER', 'Project', 'project'),
        fc.uuid(),
        fc.boolean(),
        fc.boolean(),
        (type, uuid, dashed, upper) => {
          const half = dashed ? uuid : uuid.replaceAll('-', '');
          const id = QuotaScopeId.parse(`${type}:${upper ? half.toUpperCase() : half}`);
          expect(id.toString()).toBe(`${type.toLowerCase()}:${uuid}`);
          expect(QuotaScopeId.parse(id.toString()).equals(id)).toBe(true);
        },
      ),
    );
  });

  it('answers INVALID_ARGUMENT or a value for any text, nothing else (M1)', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((text) => `user:${text}`),
        ),
        (text) => {
          try {
            QuotaScopeId.parse(text);
          } catch (error) {
            expect(error).toBeInstanceOf(StorageError);
            expect((error as StorageError).code).toBe('INVALID_ARGUMENT');
          }
        },
      ),
    );
  });

  it.each([
    '',
    'user',
    'user:',
    ':5d6e1a0c7a1b4f5e9c550c6a2f9d1e77',
    'group:5d6e1a0c7a1b4f5e9c550c6a2f9d1e77',
    'user:5d6e1a0c',
    'user:5d6e-1a0c7a1b4f5e9c550c6a2f9d1e77',
    'user:5d6e1a0c7a1b4f5e9c550c6a2f9d1e77 ',
    'user:../../etc',
  ])('refuses %p', (text) => {
    expect(() => QuotaScopeId.parse(text)).toThrow(StorageError);
  });
});
