import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSettings, type LoadedSettings, type ReadingOptions } from '../load-settings.js';
import { ConfigError } from '../config-error.js';

const made: string[] = [];

/** A new folder of its own; `removeFolders` takes it away. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'storage-proxy-config-'));
  made.push(folder);
  return folder;
}

export function removeFolders(): void {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true, force: true });
}

/** The least that starts a proxy; specs append to it. */
export const MINIMAL = `
[storage-proxy]
node-id = "node"
secret = "token-secret"
session-expire = "1d"
[api.manager]
secret = "manager-secret"
[volume.local]
backend = "vfs"
path = "/mnt/local"
`;

export function loadToml(
  toml: string,
  options: Partial<ReadingOptions> & { folder?: string } = {},
): LoadedSettings {
  const { folder = makeFolder(), ...reading } = options;
  const file = join(folder, 'storage-proxy.toml');
  writeFileSync(file, toml, { mode: 0o600 });
  return loadSettings({ argvPath: file, cwd: folder, env: {}, ...reading });
}

/** The problems of a configuration that must not load. */
export function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the configuration loaded');
}
