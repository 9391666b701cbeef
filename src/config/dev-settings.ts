import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { buildSettings, type LoadedSettings, type ReadingOptions } from './load-settings.js';

const OWNER_ONLY_FOLDER = 0o700;
const OWNER_ONLY_FILE = 0o600;
const SECRET_BYTES = 32;

/** Where `serve --dev` keeps what it makes; the banner's `curl` reads the secret from here. */
export function devFiles(varDir: string) {
  const folder = resolve(varDir);
  return {
    folder,
    volume: join(folder, 'volumes', 'local'),
    managerSecret: join(folder, 'manager-secret'),
    jwtKey: join(folder, 'jwt-key'),
  };
}

/**
 * The playground of `serve --dev`: one `vfs` volume named `local` below `varDir`, secrets that are made
 * once and kept, everything on loopback. The environment is laid over it as over a file.
 *
 * @throws ConfigError for wrong overrides
 */
export function devSettings(varDir: string, options: ReadingOptions): LoadedSettings {
  const files = devFiles(varDir);
  mkdirSync(files.folder, { recursive: true, mode: OWNER_ONLY_FOLDER });
  makeVolume(files.volume);
  for (const file of [files.managerSecret, files.jwtKey]) makeSecret(file);
  const tables = {
    'storage-proxy': { 'node-id': 'dev', 'num-proc': 1, 'session-expire': '1d' },
    api: {
      client: { 'service-addr': '127.0.0.1:6021' },
      manager: { 'service-addr': '127.0.0.1:6022', 'internal-addr': '127.0.0.1:16023' },
    },
    volume: { local: { backend: 'vfs', path: files.volume } },
    // Records for machines, between lines for a reader.
    audit: { sink: 'off' },
    secrets: { 'manager-secret-files': [files.managerSecret], 'jwt-key-files': [files.jwtKey] },
  };
  const { settings, warnings } = buildSettings(tables, files.folder, options);
  return { settings, warnings, source: `the development settings in ${files.folder}` };
}

/** A new volume has the current layout, and says so as the original's migration does (protocol section 2.6). */
function makeVolume(path: string): void {
  if (mkdirSync(path, { recursive: true }) === undefined) return;
  writeFileSync(join(path, 'version.txt'), '3\n');
}

function makeSecret(file: string): void {
  try {
    // Exclusive: of two that start at once, one writes and both read the same.
    writeFileSync(file, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, {
      mode: OWNER_ONLY_FILE,
      flag: 'wx',
    });
  } catch (error) {
    // Kept from an earlier start; fails here, with the path, when it cannot be read.
    if (readFileSync(file).length === 0) throw error;
  }
}
