import { pinoLevel } from '../config/log-level.js';
import type { Settings } from '../config/settings.js';
import { configureLogging } from '../observability/logger.js';

/** Sets this process's logs up; `base` is on every line. */
export function configureLoggingFrom(settings: Settings, base: Record<string, unknown>): void {
  configureLogging({
    level: pinoLevel(settings),
    format: settings.server.logFormat,
    colored: settings.logging.console.colored,
    base,
  });
}
