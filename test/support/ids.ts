import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

/** The two generations of vfolder ids, and with them of answers. */
export const DIALECTS = ['scoped', 'bare'] as const;
export type Dialect = (typeof DIALECTS)[number];

export const hex = (uuid: string): string => uuid.replaceAll('-', '');

/** A quota scope id that nothing has yet. */
export function newScope(type: 'user' | 'project' = 'user'): string {
  return `${type}:${randomUUID()}`;
}

/** A vfolder id that nothing has yet, as managers of its generation write it. */
export function newVFolderId(dialect: Dialect, scope = newScope()): string {
  return dialect === 'scoped' ? `${scope}/${hex(randomUUID())}` : randomUUID();
}

/** Where protocol section 2.6 puts a quota scope below the volume. */
export function scopePath(qsid: string): string {
  return hex(qsid.slice(qsid.indexOf(':') + 1));
}

/** Where protocol section 2.6 puts a vfolder below the volume. */
export function vfolderPath(vfid: string): string {
  const slash = vfid.indexOf('/');
  const h = hex(vfid.slice(slash + 1));
  const inner = join(h.slice(0, 2), h.slice(2, 4), h.slice(4));
  return slash < 0 ? inner : join(scopePath(vfid.slice(0, slash)), inner);
}
