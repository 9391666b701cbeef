import fc from 'fast-check';
import { QuotaScopeId } from '../ids/quota-scope-id.js';
import { VFolderId } from '../ids/vfolder-id.js';
import {
  formatSiblingName,
  formatTrashName,
  parseSiblingName,
  parseTrashName,
} from './trash-name.js';

const hex = fc.stringMatching(/^[0-9a-f]{32}$/);
const scopes = fc.option(
  fc
    .record({ type: fc.constantFrom('user', 'project'), hex })
    .map((scope) => QuotaScopeId.of(scope.type, scope.hex)),
);

describe('trash names', () => {
  it('carry the job and the vfolder with its scope', () => {
    fc.assert(
      fc.property(fc.uuid(), scopes, hex, (jobId, scope, folder) => {
        const name = { jobId, vfolder: VFolderId.of(scope, folder) };
        const scopeHex = scope?.pathname ?? null;
        expect(parseTrashName(formatTrashName(name), scopeHex)).toEqual(name);
        expect(parseSiblingName(formatSiblingName(name), scopeHex)).toEqual(name);
      }),
    );
  });

  const JOB = '11111111-2222-4333-8444-555555555555';
  const FOLDER = '9f8e7d6c5b4a43929190807060504030';
  const SCOPE = '0f0e0d0c0b0a40908070605040302010';

  it.each([
    ['no job', FOLDER, SCOPE],
    ['an unknown scope type', `${JOB}.group.${FOLDER}`, SCOPE],
    ['no scope type in a scope', `${JOB}.${FOLDER}`, SCOPE],
    ['a scope type outside of one', `${JOB}.user.${FOLDER}`, null],
    ['upper case', `${JOB.toUpperCase()}.user.${FOLDER.toUpperCase()}`, SCOPE],
    ['something after it', `${JOB}.user.${FOLDER}.old`, SCOPE],
  ])('are not names with %s', (_, name, scope) => {
    expect(parseTrashName(name, scope)).toBeUndefined();
    expect(parseSiblingName(name, scope)).toBeUndefined();
  });
});
