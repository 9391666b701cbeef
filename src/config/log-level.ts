import type { LogLevel } from './sections/logging.section.js';
import type { Settings } from './settings.js';

const PINO_LEVELS = {
  NOTSET: 'trace',
  TRACE: 'trace',
  DEBUG: 'debug',
  INFO: 'info',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
} as const satisfies Record<LogLevel, string>;

/** The level in pino's words; `debug.enabled` never hides what `logging.level` would show. */
export function pinoLevel({
  logging,
  debug,
}: Pick<Settings, 'logging' | 'debug'>): (typeof PINO_LEVELS)[LogLevel] {
  const level = PINO_LEVELS[logging.level];
  return debug.enabled && level !== 'trace' ? 'debug' : level;
}
