import { randomUUID } from 'node:crypto';
import { join, relative } from 'node:path';
import { hex, newVFolderId, vfolderPath } from '../../support/ids.js';
import type { Canaries } from './canaries.js';

/** What the attackers' links point to: absolute, relative, through /proc, to each other, and to nowhere. */
export function linkTargets(volumePath: string, outside: Canaries, neighbour: Canaries): string[] {
  // All scoped folders are equally deep.
  const folder = join(volumePath, vfolderPath(newVFolderId('scoped')));
  const descriptors = Array.from({ length: 8 }, (_, fd) => `/proc/self/fd/${fd + 3}`);
  return [
    outside.directory,
    neighbour.directory,
    relative(folder, outside.directory),
    relative(join(folder, 'd0'), outside.directory),
    relative(folder, neighbour.directory),
    `../../../../../${hex(randomUUID())}`,
    `/proc/self/root${outside.directory}`,
    `/proc/self/cwd/outside`,
    '/',
    '/proc/self/root',
    '.~d0',
    '.~d1',
    'b',
    '..',
    '../..',
    // Ways that lead to canaries are worth more than the others together.
    outside.directory,
    outside.directory,
    neighbour.directory,
    ...descriptors,
  ];
}
