import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { canonicalKey, formatKeyPath, showValue } from './key-path.js';
import {
  fieldsOf,
  hasEffect,
  READING,
  sectionOptions,
  type Field,
  type SectionClass,
  type TableField,
  type ValueField,
} from './setting.js';
import { Sourced, withoutSources } from './sourced.js';
import { suggest } from './suggest.js';
import { isTable } from './value-type.js';

/** What reading found, one line each. */
export class SectionReport {
  readonly problems: string[] = [];
  readonly warnings: string[] = [];
  /** Keys without effect here, for one line that names them all. */
  readonly unused: string[] = [];
}

export interface SectionContext {
  /** Keys that lead to the table. */
  readonly path: readonly string[];
  /** Relative paths start here. */
  readonly folder: string;
  /** Unknown keys are problems everywhere, not only in tables of our own. */
  readonly strict: boolean;
  readonly report: SectionReport;
}

/**
 * Reads one table into an instance of its class: both spellings of every key, defaults, nested tables.
 * Nothing is thrown for what an operator can get wrong; look at `context.report` before using the result.
 */
export function readSection<T extends object>(
  section: SectionClass<T>,
  source: unknown,
  context: SectionContext,
): T {
  const given = matchKeys(section, source ?? {}, context);
  const values: Record<string, unknown> = {};
  const tables: Record<string, unknown> = {};
  for (const field of fieldsOf(section)) {
    const inner = { ...context, path: [...context.path, field.key] };
    if (field.kind === 'value') {
      const value = valueOf(field, given.get(field.key), inner);
      if (value !== undefined) values[field.property] = value;
    } else {
      tables[field.property] = readTables(field, given.get(field.key), inner);
    }
  }
  const instance = plainToInstance(section, values, { groups: [READING] });
  reportInvalid(section, instance, values, given, context);
  Object.assign(instance, tables);
  for (const field of fieldsOf(section)) {
    if (!hasEffect(field)) Reflect.deleteProperty(instance, field.property);
  }
  return instance;
}

/** The values by the keys' kebab-case spelling. */
function matchKeys(
  section: SectionClass,
  source: unknown,
  context: SectionContext,
): Map<string, unknown> {
  const given = new Map<string, unknown>();
  const table = source instanceof Sourced ? source.value : source;
  if (!isTable(table)) {
    // Whoever takes a table of secrets for a key has probably put the secret there.
    const found = holdsSecrets(section) ? '(secret)' : showValue(table);
    context.report.problems.push(`${formatKeyPath(context.path)} = ${found}: must be a table`);
    return given;
  }
  const fields = new Map(fieldsOf(section).map((field) => [field.key, field]));
  for (const [key, value] of Object.entries(table)) {
    const field = fields.get(canonicalKey(key));
    if (field === undefined) {
      reportUnknown(section, key, value, [...fields.keys()], context);
    } else if (given.has(field.key)) {
      const path = formatKeyPath([...context.path, field.key]);
      context.report.problems.push(`${path}: given twice, with "-" and with "_"`);
    } else {
      given.set(field.key, value);
    }
  }
  return given;
}

function holdsSecrets(section: SectionClass): boolean {
  return fieldsOf(section).some((field) => field.kind === 'value' && field.secret);
}

function reportUnknown(
  section: SectionClass,
  key: string,
  value: unknown,
  known: readonly string[],
  { path, strict, report }: SectionContext,
): void {
  const nearest = suggest(canonicalKey(key), known);
  const what = isTable(value) ? 'unknown table' : 'unknown key';
  const hint =
    nearest === undefined
      ? `known here: ${known.join(', ') || 'none'}`
      : `did you mean ${formatKeyPath([...path, nearest])}?`;
  const line = `${formatKeyPath([...path, key])}${originOf(value)}: ${what}; ${hint}`;
  const wrong = strict || sectionOptions(section).ours || firstOrigin(value) !== undefined;
  (wrong ? report.problems : report.warnings).push(line);
}

function valueOf(field: ValueField, given: unknown, context: SectionContext): unknown {
  const { report, path, folder } = context;
  if (given === undefined) {
    if (field.required) {
      report.problems.push(`${formatKeyPath(path)}: missing; it must be ${field.type.allowed}`);
    }
    const fallback = defaultOf(field);
    return field.type.resolvePaths?.(fallback, folder) ?? fallback;
  }
  noteEffect(field, context);
  const value =
    given instanceof Sourced && field.type.isText ? given.asText() : withoutSources(given);
  return field.type.resolvePaths?.(value, folder) ?? value;
}

function defaultOf(field: ValueField): unknown {
  return typeof field.default === 'function' ? field.default() : field.default;
}

/** Says of a key that is present when it does nothing here. */
function noteEffect(field: Field, { path, report }: SectionContext): void {
  const name = formatKeyPath(path);
  if (field.notServed) {
    report.warnings.push(`${name}: accepted, but not served: ${field.notServed}`);
  } else if (field.unused) {
    report.unused.push(name);
  }
}

function readTables(field: TableField, given: unknown, context: SectionContext): unknown {
  if (given !== undefined) noteEffect(field, context);
  // What is inside a table without effect is checked too, but not listed key by key.
  const inner = hasEffect(field) ? context : { ...context, report: withoutUnused(context.report) };
  if (field.kind === 'named') return readNamed(field, given ?? {}, inner);
  return given === undefined && (field.optional || !hasEffect(field))
    ? undefined
    : readSection(field.section, given, inner);
}

function withoutUnused({ problems, warnings }: SectionReport): SectionReport {
  return { problems, warnings, unused: [] };
}

function readNamed(field: TableField, given: unknown, context: SectionContext): object[] {
  const table = given instanceof Sourced ? given.value : given;
  if (isTable(table)) {
    return Object.entries(table).map(([name, inner]) =>
      Object.assign(
        readSection(field.section, inner, { ...context, path: [...context.path, name] }),
        { name },
      ),
    );
  }
  const path = formatKeyPath(context.path);
  context.report.problems.push(`${path}: must hold tables by name, [${path}.<name>]`);
  return [];
}

/** Reports what cannot be read, and puts the default in its place so that later checks find the right type. */
function reportInvalid(
  section: SectionClass,
  instance: object,
  values: Readonly<Record<string, unknown>>,
  given: ReadonlyMap<string, unknown>,
  { path, report }: SectionContext,
): void {
  const fields = new Map(fieldsOf(section).map((field) => [field.property, field]));
  const errors = validateSync(instance, { forbidUnknownValues: false });
  for (const { property, constraints } of errors) {
    const field = fields.get(property);
    if (field?.kind !== 'value') continue;
    const found = field.secret ? '(secret)' : showValue(values[property]);
    const origin = originOf(given.get(field.key));
    // class-validator's own messages start with the property's name; the line already has the key.
    const reason = Object.values(constraints ?? {})
      .map((message) => message.replace(new RegExp(`^${property} `), ''))
      .join('; ');
    report.problems.push(`${formatKeyPath([...path, field.key])}${origin} = ${found}: ${reason}`);
    const fallback = defaultOf(field);
    Reflect.set(instance, property, fallback === undefined ? undefined : field.type.read(fallback));
  }
}

function originOf(value: unknown): string {
  const origin = firstOrigin(value);
  return origin === undefined ? '' : ` (from ${origin})`;
}

/** The origin of a value, or of the first value inside a table that has one. */
function firstOrigin(value: unknown): string | undefined {
  if (value instanceof Sourced) return value.origin;
  if (!isTable(value)) return undefined;
  for (const inner of Object.values(value)) {
    const origin = firstOrigin(inner);
    if (origin !== undefined) return origin;
  }
  return undefined;
}
