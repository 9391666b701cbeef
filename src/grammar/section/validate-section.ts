import { readSection, SectionReport } from './read-section.js';
import type { SectionClass } from './setting.js';

export interface ValidatedSection<T> {
  /** Use it only when there are no problems. */
  readonly value: T;
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
}

/**
 * Checks a table against a class whose author is somebody else: a backend's options. The class may use
 * `@Setting`, or class-validator's decorators alone with initialisers as defaults.
 *
 * `keyPath` leads to the table, for example `['volume', 'fast', 'options']`. Paths are taken as they are.
 */
export function validateSection<T extends object>(
  section: SectionClass<T>,
  table: Readonly<Record<string, unknown>> | undefined,
  keyPath: readonly string[],
  options: { strict?: boolean } = {},
): ValidatedSection<T> {
  const report = new SectionReport();
  const context = { path: keyPath, folder: '/', strict: options.strict ?? false, report };
  const value = readSection(section, table, context);
  return { value, problems: report.problems, warnings: report.warnings };
}
