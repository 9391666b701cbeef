import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { readSection, SectionReport } from '../grammar/section/read-section.js';
import { Sourced } from '../grammar/section/sourced.js';
import { isTable } from '../grammar/section/value-type.js';
import { checkBackends, type BackendShape } from './backend-checks.js';
import { ConfigError } from './config-error.js';
import { gatherCredentials } from './credentials.js';
import { crossCheck } from './cross-checks.js';
import { applyEnvironment } from './environment.js';
import { findConfigFile, type ConfigLocation } from './find-config-file.js';
import { readToml } from './read-toml.js';
import { Settings } from './settings.js';

/** What is laid over the file, and how it is judged. */
export interface ReadingOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Unknown keys in the original's tables are problems too, not only warnings. */
  readonly strict?: boolean;
  /** Command-line options; they win over file and environment. */
  readonly flags?: { readonly debug?: boolean | undefined; readonly logLevel?: string | undefined };
  /** When given, each volume's `backend` and `options` are checked against these. */
  readonly backends?: readonly BackendShape[];
}

export interface LoadedSettings {
  readonly settings: Settings;
  /** One line each; the settings can be used all the same. */
  readonly warnings: readonly string[];
  /** Absolute path of the file. */
  readonly source: string;
}

/**
 * Finds, reads and checks the configuration.
 *
 * @throws ConfigError with a line for each problem
 */
export function loadSettings(options: ConfigLocation & ReadingOptions): LoadedSettings {
  const source = findConfigFile(options);
  const { settings, warnings } = buildSettings(readToml(source), dirname(source), options);
  return { settings, warnings: [...warnings, ...exposedSecrets(source, settings)], source };
}

export interface CheckedConfig {
  /** Empty when a proxy would start with it. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** Undefined when no file was found. */
  readonly source?: string;
}

/** What `check-config` prints: strict, and never throws for what an operator can get wrong. */
export function checkConfig(options: ConfigLocation & ReadingOptions): CheckedConfig {
  let source: string | undefined;
  try {
    source = findConfigFile(options);
    const loaded = loadSettings({ ...options, argvPath: source, strict: true });
    return { problems: [], warnings: loaded.warnings, source };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const { problems, warnings } = error;
    return { problems, warnings, ...(source !== undefined && { source }) };
  }
}

/**
 * Turns TOML tables, which are changed, into settings. Relative paths start at `folder`.
 *
 * @throws ConfigError with a line for each problem
 */
export function buildSettings(
  tables: Record<string, unknown>,
  folder: string,
  { env, strict = false, flags = {}, backends }: ReadingOptions,
): { settings: Settings; warnings: readonly string[] } {
  const report = new SectionReport();
  report.problems.push(...applyEnvironment(tables, env));
  applyFlags(tables, flags);
  const settings = readSection(Settings, tables, { path: [], folder, strict, report });
  crossCheck(settings, report);
  if (backends) checkBackends(settings, backends, report, strict);
  const credentials = gatherCredentials(settings, report);
  const warnings = [...report.warnings, ...unusedLine(report.unused)];
  if (report.problems.length > 0) throw new ConfigError(report.problems, warnings);
  return { settings: Object.assign(settings, { credentials }), warnings };
}

function applyFlags(
  tables: Record<string, unknown>,
  { debug, logLevel }: NonNullable<ReadingOptions['flags']>,
): void {
  if (debug) tables['debug'] = overlay(tables['debug'], 'enabled', new Sourced(true, '--debug'));
  if (logLevel !== undefined) {
    tables['logging'] = overlay(tables['logging'], 'level', new Sourced(logLevel, '--log-level'));
  }
}

/** Anything that is no table is left as it is, to be reported when it is read. */
function overlay(table: unknown, key: string, value: Sourced): unknown {
  if (table === undefined) return { [key]: value };
  return isTable(table) ? { ...table, [key]: value } : table;
}

function unusedLine(keys: readonly string[]): string[] {
  return keys.length === 0 ? [] : [`accepted, without effect here: ${keys.join(', ')}`];
}

/** A file that everybody can read should not hold the keys to all data. */
function exposedSecrets(source: string, { api, storageProxy, secrets }: Settings): string[] {
  const inFile = [
    api.manager.secret,
    storageProxy.secret,
    ...secrets.managerSecrets,
    ...secrets.jwtKeys,
  ];
  if (inFile.every((secret) => secret === undefined)) return [];
  if ((statSync(source).mode & 0o004) === 0) return [];
  return [`${source} holds secrets and can be read by everybody; chmod 600`];
}
