import { readFileSync } from 'node:fs';
import { parse, TomlError, type TomlTable } from 'smol-toml';
import { ConfigError } from './config-error.js';
import { reasonOf } from './credentials.js';

/** @throws ConfigError with file, line and column of a syntax error, or why the file cannot be read */
export function readToml(file: string): TomlTable {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (!(error instanceof TomlError)) {
      throw new ConfigError([`cannot read ${file}: ${reasonOf(error)}`]);
    }
    // Only the first line: below it the parser quotes the document, which may hold a secret.
    const [reason = ''] = error.message.split('\n');
    throw new ConfigError([
      `${file}:${error.line}:${error.column}: ${reason.replace(/^Invalid TOML document: /, 'not valid TOML: ')}`,
    ]);
  }
}

/** The value of a piece of text that stands where a TOML value would, or `undefined` if it is none. */
export function parseTomlValue(text: string): unknown {
  try {
    const { value, ...others } = parse(`value = ${text}`);
    return Object.keys(others).length === 0 ? value : undefined;
  } catch {
    return undefined;
  }
}
