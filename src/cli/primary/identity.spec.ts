import { mkdtempSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workerIdentity, type Lookup } from './identity.js';

const lookup: Lookup = (database, key) => {
  const lines = {
    passwd: ['storage:x:701:702:Storage:/:/bin/false', 'root:x:0:0::/root:/bin/sh'],
    group: ['media:x:900:'],
  };
  const entries = lines[database].map((line) => line.split(':'));
  return entries.find((entry) => entry[0] === key || entry[2] === key);
};
const installation = mkdtempSync(join(tmpdir(), 'identity-'));
const root = { isRoot: true, lookup };

describe('workerIdentity', () => {
  it.each([
    ['a name, with its primary group', 'storage', undefined, { uid: 701, gid: 702 }],
    ['a number that is known', 701, undefined, { uid: 701, gid: 702 }],
    ['a number that is not known', 4242, undefined, { uid: 4242 }],
    ['a number as text', '4242', undefined, { uid: 4242 }],
    ['a group of its own', 'storage', 'media', { uid: 701, gid: 900 }],
    ['a group by number', 'storage', 31, { uid: 701, gid: 31 }],
    ['a group alone', undefined, 'media', { gid: 900 }],
    ['root, asked for by name', 'root', undefined, { uid: 0, gid: 0 }],
  ])('reads %s', (_, user, group, identity) => {
    expect(workerIdentity({ user, group, installation }, root)).toEqual(identity);
  });

  it('takes the owner of the installation when nothing is configured', () => {
    const { uid, gid } = statSync(installation);
    const expected = uid === 0 ? {} : { uid, gid };
    const nobody = { user: undefined, group: undefined, installation };
    expect(workerIdentity(nobody, root)).toEqual(expected);
  });

  it('changes nothing when not started as root', () => {
    const request = { user: 'storage', group: 'media', installation };
    expect(workerIdentity(request, { isRoot: false, lookup })).toEqual({});
  });

  it('names the key of an account that does not exist', () => {
    const identify = (user?: string, group?: string) => () =>
      workerIdentity({ user, group, installation }, root);
    expect(identify('nobody-knows')).toThrow('storage-proxy.user: no such user: "nobody-knows"');
    expect(identify('storage', 'none')).toThrow('storage-proxy.group: no such group: "none"');
  });
});
