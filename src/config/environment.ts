import { formatKeyPath } from '../grammar/section/key-path.js';
import { Sourced } from '../grammar/section/sourced.js';
import { isTable } from '../grammar/section/value-type.js';
import { parseTomlValue } from './read-toml.js';

type Environment = Readonly<Record<string, string | undefined>>;
type MutableTable = Record<string, unknown>;

const PREFIX = 'STORAGE_PROXY__';

/** Variables of the original; ours win over them. */
const ORIGINAL_VARIABLES: Readonly<Record<string, readonly string[]>> = {
  BACKEND_NAMESPACE: ['etcd', 'namespace'],
  BACKEND_ETCD_ADDR: ['etcd', 'addr'],
  BACKEND_ETCD_USER: ['etcd', 'user'],
  BACKEND_ETCD_PASSWORD: ['etcd', 'password'],
};

/**
 * Lays the environment over the file's tables, which are changed.
 *
 * `STORAGE_PROXY__SECTION__KEY=value`: two underscores between the parts, one where the key has a hyphen
 * or an underscore; case does not matter. The value is a TOML value where it parses as one, else text.
 *
 * @returns what is wrong with the variables themselves
 */
export function applyEnvironment(tables: MutableTable, env: Environment): string[] {
  const problems: string[] = [];
  for (const [variable, path] of Object.entries(ORIGINAL_VARIABLES)) {
    const text = env[variable];
    if (text) assign(tables, path, new Sourced(text, variable, text), variable, problems);
  }
  for (const [variable, path] of overrides(env)) {
    const text = env[variable] ?? '';
    if (path.includes('')) {
      problems.push(`${variable}: must be ${PREFIX}SECTION__KEY, with a name in each part`);
    } else {
      assign(
        tables,
        path,
        sourced(parseTomlValue(text) ?? text, variable, text),
        variable,
        problems,
      );
    }
  }
  return problems;
}

/** Shorter paths first, so that a single key wins over a whole table. */
function overrides(env: Environment): [variable: string, path: string[]][] {
  return Object.keys(env)
    .filter((variable) => variable.startsWith(PREFIX))
    .map((variable): [string, string[]] => [
      variable,
      variable.slice(PREFIX.length).toLowerCase().split('__'),
    ])
    .toSorted(([, a], [, b]) => a.length - b.length);
}

/** Tables stay tables, so that single keys can be laid over them and unknown ones are found. */
function sourced(value: unknown, variable: string, text?: string): unknown {
  if (!isTable(value)) return new Sourced(value, variable, text);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, sourced(inner, variable)]),
  );
}

function assign(
  tables: MutableTable,
  path: readonly string[],
  value: unknown,
  variable: string,
  problems: string[],
): void {
  let table = tables;
  const walked: string[] = [];
  for (const part of path) {
    const matches = Object.keys(table).filter((key) => loosely(key) === loosely(part));
    if (matches.length > 1) {
      const place = formatKeyPath(walked);
      problems.push(`${variable}: may mean any of ${matches.join(', ')} in ${place}; rename one`);
      return;
    }
    const [key = part] = matches;
    const inner = table[key];
    walked.push(key);
    if (walked.length === path.length) {
      table[key] = isTable(value) && isTable(inner) ? { ...inner, ...value } : value;
    } else if (inner === undefined) {
      table = table[key] = {};
    } else if (isTable(inner)) {
      table = inner;
    } else {
      problems.push(`${variable}: ${formatKeyPath(walked)} is not a table`);
      return;
    }
  }
}

/** Variables know letters, digits and underscores only. */
function loosely(key: string): string {
  return key.toLowerCase().replaceAll(/[^a-z0-9]/g, '-');
}

/** The variable that overrides a key, for the reference. */
export function variableFor(path: readonly string[]): string {
  const parts = path.map((part) => part.replaceAll(/[^\w]/g, '_').toUpperCase());
  return PREFIX + parts.join('__');
}
