import {
  fieldsOf,
  hasEffect,
  sectionOptions,
  type SectionClass,
  type ValueField,
} from '../../grammar/section/setting.js';
import { Settings } from '../settings.js';

/** Names that stand for `<name>` in the sample. */
const EXAMPLE_NAMES: Readonly<Record<string, string>> = { volume: 'volume1' };
const ANY_NAME = 'example';

/** One table of the file, as the sample and the reference present it. */
export interface DescribedTable {
  /** Keys that lead to it; `<name>` where the operator chooses. */
  readonly path: readonly string[];
  /** The same with an example for each name. */
  readonly examplePath: readonly string[];
  readonly description: string;
  /** A table that the original does not have. */
  readonly ours: boolean;
  /** False for what is accepted without effect. */
  readonly effective: boolean;
  /** Its presence alone asks for something. */
  readonly optional: boolean;
  readonly fields: readonly ValueField[];
}

/** Every table in file order, parents before children; a table without keys of its own is left out. */
export function describeTables(): DescribedTable[] {
  return [...walk(Settings, [], [], true)];
}

function* walk(
  section: SectionClass,
  path: readonly string[],
  examplePath: readonly string[],
  effective: boolean,
): Generator<DescribedTable> {
  for (const field of fieldsOf(section)) {
    if (field.kind === 'value') continue;
    const named = field.kind === 'named';
    const inner = {
      path: [...path, field.key, ...(named ? ['<name>'] : [])],
      examplePath: [
        ...examplePath,
        field.key,
        ...(named ? [EXAMPLE_NAMES[field.key] ?? ANY_NAME] : []),
      ],
      effective: effective && hasEffect(field),
    };
    const fields = fieldsOf(field.section).filter((candidate) => candidate.kind === 'value');
    if (fields.length > 0) {
      const ours = sectionOptions(field.section).ours ?? false;
      const optional = field.optional ?? false;
      yield { ...inner, description: field.description, ours, optional, fields };
    }
    yield* walk(field.section, inner.path, inner.examplePath, inner.effective);
  }
}

/** Top-level keys that are no tables: the deprecated list forms. */
export function topLevelFields(): ValueField[] {
  return fieldsOf(Settings).filter((field) => field.kind === 'value');
}
