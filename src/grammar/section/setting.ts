import { Transform, Type } from 'class-transformer';
import { getMetadataStorage, ValidateBy } from 'class-validator';
import { GrammarError } from '../grammar-error.js';
import { kebabCase } from './key-path.js';
import { anything, type ValueType } from './value-type.js';

/** A class whose decorated properties are the keys of one table of the configuration. */
export type SectionClass<T extends object = object> = new () => T;

export interface EffectOptions {
  /** Accepted and checked, since the original has it, and then dropped: it has no effect here. */
  readonly unused?: boolean;
  /** As `unused`, and reported each time: what it asks for does not exist here. Says what. */
  readonly notServed?: string;
}

export interface TableOptions extends EffectOptions {
  /** Without the table the setting is missing, rather than a table of defaults: it is what asks for something. */
  readonly optional?: boolean;
}

export interface SettingOptions extends EffectOptions {
  /** As it would stand in the file; a function when it depends on the machine. */
  readonly default?: unknown;
  /** What the reference says of a default that depends on the machine. */
  readonly defaultText?: string;
  /** The table is refused without this key. */
  readonly required?: boolean;
  /** What the sample shows for a key without a default. */
  readonly example?: unknown;
  /** The sample sets the example although the key may be left out. */
  readonly inSample?: boolean;
  /** The value never appears in messages, logs or printed settings. */
  readonly secret?: boolean;
}

interface FieldBase {
  readonly property: string;
  /** Kebab-case. */
  readonly key: string;
  readonly description: string;
}

export interface ValueField extends FieldBase, SettingOptions {
  readonly kind: 'value';
  readonly type: ValueType;
}

export interface TableField extends FieldBase, TableOptions {
  /** `table`: one; `named`: any number by name, read into a list whose elements carry `name`. */
  readonly kind: 'table' | 'named';
  readonly section: SectionClass;
}

export type Field = ValueField | TableField;

/** Whether the value of the key reaches the settings. */
export function hasEffect(field: EffectOptions): boolean {
  return !field.unused && field.notServed === undefined;
}

/** What the transformation leaves in place of a value that it cannot read; validation reports it. */
class Unreadable {
  constructor(readonly reason: string) {}
}

/** Transformations run only in this group, so that instances made again from JSON keep their values. */
export const READING = 'reading';

const FIELDS = new WeakMap<object, Field[]>();
const DESCRIPTIONS = new WeakMap<object, SectionOptions>();

/** One key of a table: `@Setting('lock-wait', 'How long …', duration(), { default: '30s' })`. */
export function Setting(
  key: string,
  description: string,
  type: ValueType,
  options: SettingOptions = {},
): PropertyDecorator {
  return (prototype, property) => {
    addField(prototype, {
      kind: 'value',
      property: String(property),
      key,
      description,
      type,
      ...options,
    });
    // From `obj`: class-transformer has already rebuilt objects such as dates and addresses in `value`.
    Transform(({ obj, key }) => attempt(type, obj[key]), { groups: [READING] })(
      prototype,
      property,
    );
    ValidateBy({
      name: 'isReadable',
      validator: {
        validate: (value) => !(value instanceof Unreadable),
        defaultMessage: (args) => (args?.value instanceof Unreadable ? args.value.reason : ''),
      },
    })(prototype, property);
  };
}

function attempt(type: ValueType, value: unknown): unknown {
  try {
    return type.read(value);
  } catch (error) {
    if (error instanceof GrammarError) return new Unreadable(error.message);
    throw error;
  }
}

/** A table inside a table: `@Table('client', 'The client plane', ApiClientSection)`. */
export function Table(
  key: string,
  description: string,
  section: SectionClass,
  options: TableOptions = {},
): PropertyDecorator {
  return tableField('table', key, description, section, options);
}

/** Tables by name, `[volume.<name>]`; the property is a list and each element has a `name`. */
export function NamedTables(
  key: string,
  description: string,
  section: SectionClass<{ name: string }>,
  options: EffectOptions = {},
): PropertyDecorator {
  return tableField('named', key, description, section, options);
}

function tableField(
  kind: TableField['kind'],
  key: string,
  description: string,
  section: SectionClass,
  options: TableOptions,
): PropertyDecorator {
  return (prototype, property) => {
    addField(prototype, {
      kind,
      property: String(property),
      key,
      description,
      section,
      ...options,
    });
    Type(() => section)(prototype, property);
  };
}

function addField(prototype: object, field: Field): void {
  const fields = FIELDS.get(prototype) ?? [];
  fields.push(field);
  FIELDS.set(prototype, fields);
}

export interface SectionOptions {
  /** Unknown keys are errors in tables of our own; the original only warns in its. */
  readonly ours?: boolean;
}

/** Optional on a section class. */
export function Section(options: SectionOptions): ClassDecorator {
  return (target) => {
    DESCRIPTIONS.set(target, options);
  };
}

export function sectionOptions(section: SectionClass): SectionOptions {
  return DESCRIPTIONS.get(section) ?? {};
}

/** The keys of a section in the order in which they are declared, inherited ones first. */
export function fieldsOf(section: SectionClass): readonly Field[] {
  const chain: Field[][] = [];
  let prototype: object | null = section.prototype;
  while (prototype !== null && prototype !== Object.prototype) {
    chain.unshift(FIELDS.get(prototype) ?? []);
    prototype = Object.getPrototypeOf(prototype);
  }
  const fields = chain.flat();
  return [...fields, ...plainFields(section, new Set(fields.map((field) => field.property)))];
}

/** Properties that carry only class-validator's decorators, as a backend from elsewhere may write them. */
function plainFields(section: SectionClass, known: Set<string>): Field[] {
  return getMetadataStorage()
    .getTargetValidationMetadatas(section, '', true, false)
    .map(({ propertyName }) => propertyName)
    .filter((property, index, all) => !known.has(property) && all.indexOf(property) === index)
    .map((property) => ({
      kind: 'value',
      property,
      key: kebabCase(property),
      description: '',
      type: anything(),
    }));
}
