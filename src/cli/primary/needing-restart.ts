import { isDeepStrictEqual } from 'node:util';
import type { Settings } from '../../config/settings.js';

/** What a reload takes over, as paths of the settings; everything else waits for a restart. */
const RELOADED: ReadonlySet<string> = new Set([
  'volumes',
  'credentials',
  'secrets',
  'api.manager.secret',
  'storageProxy.secret',
  'logging.level',
  'debug.enabled',
  'server.shutdownTimeoutMs',
  'server.drainDelayMs',
]);

/** Which settings differ and are not taken over by a reload, by their path; never their values. */
export function needingRestart(before: Settings, after: Settings): string[] {
  return differences(before, after, []).filter((path) => !RELOADED.has(path));
}

function differences(before: unknown, after: unknown, path: readonly string[]): string[] {
  const name = path.join('.');
  if (isDeepStrictEqual(before, after)) return [];
  if (RELOADED.has(name) || !isSection(before) || !isSection(after)) return [name];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], [...path, key]));
}

function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
