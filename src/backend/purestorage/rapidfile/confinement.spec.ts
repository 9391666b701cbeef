import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { confinementFor } from './confinement.js';
import type { Toolkit } from './toolkit.js';

describe('confinementFor', () => {
  let top: string;
  const volume = (): string => join(top, 'volume');
  beforeEach(() => {
    top = mkdtempSync(join(tmpdir(), 'confinement-'));
    mkdirSync(volume());
    mkdirSync(join(top, 'toolkit'));
    writeFileSync(join(top, 'toolkit/program'), '#!/bin/sh\n');
  });
  afterEach(() => rmSync(top, { recursive: true }));

  it.each<[string, (top: string) => string[], boolean]>([
    ['nothing more', () => [], true],
    ['a directory beside the volume', (top) => [join(top, 'toolkit')], true],
    ['a directory whose name the volume begins with', (top) => [join(top, 'vol')], true],
    ['the volume', (top) => [join(top, 'volume')], false],
    ['what the volume lies in', (top) => [dirname(top)], false],
    ['everything', () => ['/'], false],
  ])('programs that may read %s', async (_, readable, isConfined) => {
    const program = join(top, 'toolkit/program');
    const toolkit = { pls: program, pdu: program, prm: program, copy: program } as Toolkit;
    const confinement = await confinementFor(
      { toolkit, volumePath: volume(), readable: readable(top) },
      () => 4,
    );
    expect(confinement.kind).toBe(isConfined ? 'kernel' : 'none');
  });
});
