import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Proxy } from '../support/proxy.js';
import { MANAGER } from './defects/manager.js';
import { OPERATIONS, UUID_VOLUME } from './defects/operations.js';
import type { Row, Rows } from './defects/row.js';
import { SECURITY } from './defects/security.js';
import { DOWNLOADS, UPLOADS } from './defects/transfers.js';

/**
 * What the reference storage proxy is known to do badly, row by row, and that this one does not. Rows whose
 * proof takes long, or has to break or look into a process, name the test of another suite that proves them.
 */
const SECTIONS: readonly (readonly [string, string, number, Rows])[] = [
  ['security', 'S', 18, SECURITY],
  ['uploads', 'U', 11, UPLOADS],
  ['downloads and archives', 'D', 12, DOWNLOADS],
  ['the manager API', 'M', 21, MANAGER],
  ['jobs and operations', 'B', 13, OPERATIONS],
];

let proxy: Proxy;

beforeAll(async () => {
  proxy = await Proxy.start(
    { 'max-upload-size': '64m', 'scandir-limit': 20 },
    {
      volumes: ['local', 'other', UUID_VOLUME],
      prepare: (mount) => rmSync(join(mount('other'), 'version.txt')),
    },
  );
});

afterAll(() => proxy.stop());

describe.each(SECTIONS)('defects of %s are not here', (_, letter, count, rows) => {
  it('the table has every row', () => {
    const all = Array.from({ length: count }, (_, index) => `${letter}${index + 1}`);
    expect(Object.keys(rows)).toEqual(all);
  });

  for (const [id, row] of Object.entries(rows)) provenRow(id, row);
});

function provenRow(id: string, { title, proof, suite, notHere }: Row): void {
  if (proof) {
    it(`${id}: ${title}`, () => proof(proxy));
  } else if (suite !== undefined) {
    const [file, says] = suite;
    it(`${id}: ${title}: see "${says}" of ${file}`, () => {
      expect(readFileSync(file, 'utf8')).toContain(says);
    });
  } else {
    it.skip(`${id}: ${title}; does not apply: ${notHere ?? ''}`, () => undefined);
  }
}
