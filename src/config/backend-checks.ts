import { formatKeyPath, showValue } from '../grammar/section/key-path.js';
import type { SectionClass } from '../grammar/section/setting.js';
import { suggest } from '../grammar/section/suggest.js';
import { validateSection } from '../grammar/section/validate-section.js';
import { VENDOR_BACKENDS } from '../grammar/vendor-backends.js';
import type { Settings } from './settings.js';

/** What configuration needs to know of a backend; backend descriptors have this shape. */
export interface BackendShape {
  readonly name: string;
  /** Class of `[volume.<name>.options]`. */
  readonly options: SectionClass;
}

/** Checks each volume's backend and its options against the backends that exist. */
export function checkBackends(
  { volumes }: Settings,
  backends: readonly BackendShape[],
  { problems, warnings }: { problems: string[]; warnings: string[] },
  strict: boolean,
): void {
  for (const { name, backend, options } of volumes) {
    const shape = backends.find((candidate) => candidate.name === backend);
    if (shape !== undefined) {
      const path = ['volume', name, 'options'];
      const checked = validateSection(shape.options, options, path, { strict });
      problems.push(...checked.problems);
      warnings.push(...checked.warnings);
    } else if (backend !== undefined) {
      const key = formatKeyPath(['volume', name, 'backend']);
      problems.push(`${key} = ${showValue(backend)}: ${unknownBackend(backend, backends)}`);
    }
  }
}

function unknownBackend(backend: string, backends: readonly BackendShape[]): string {
  const names = backends.map(({ name }) => name);
  const known = `must be one of ${names.map(showValue).join(', ')}`;
  if (VENDOR_BACKENDS.has(backend)) {
    return `${known}; this proxy does not have that vendor's backend, but backend = "vfs" serves its mounted filesystem`;
  }
  const nearest = suggest(backend, names);
  return nearest === undefined ? known : `${known}; did you mean ${showValue(nearest)}?`;
}
