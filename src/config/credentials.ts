import { readFileSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { formatKeyPath } from '../grammar/section/key-path.js';
import type { Settings } from './settings.js';

/** A secret with a name for it that may be told. */
export interface LabelledSecret {
  /** Where it was configured: its key, or the name of its file. */
  readonly label: string;
  readonly value: string;
}

/** What the planes check requests against, gathered from the file, `[secrets]` and secret files. */
export class Credentials {
  /** Accepted in the managers' header; never empty. */
  readonly managerSecrets: readonly LabelledSecret[] = [];
  /** Accepted on tokens, the first one signs; never empty. UTF-8 text. */
  readonly jwtKeys: readonly string[] = [];
  /** For the Valkey that the configuration names. */
  readonly valkeyPassword: string | null = null;
  /** Passwords of etcd and Valkey, all of them. */
  readonly servicePasswords: readonly string[] = [];

  /** Everything that must never be shown. */
  get all(): string[] {
    const { managerSecrets, jwtKeys, servicePasswords } = this;
    return [...managerSecrets.map(({ value }) => value), ...jwtKeys, ...servicePasswords];
  }
}

interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}

/** Never throws: what is wrong with a secret file goes to the findings. */
export function gatherCredentials(settings: Settings, findings: Findings): Credentials {
  const { api, storageProxy, secrets, valkey, etcd } = settings;
  const managerSecrets = unique([
    ...labelled(
      'api.manager.secret',
      [api.manager.secret].flatMap((secret) => secret ?? []),
    ),
    ...labelled('secrets.manager-secrets', secrets.managerSecrets),
    ...readSecrets(secrets.managerSecretFiles, ['secrets', 'manager-secret-files'], findings),
  ]);
  const jwtKeys = unique([
    ...labelled(
      'storage-proxy.secret',
      [storageProxy.secret].flatMap((secret) => secret ?? []),
    ),
    ...labelled('secrets.jwt-keys', secrets.jwtKeys),
    ...readSecrets(secrets.jwtKeyFiles, ['secrets', 'jwt-key-files'], findings),
  ]).map(({ value }) => value);
  if (findings.problems.length === 0) {
    requireOne(managerSecrets, 'api.manager.secret', 'secrets.manager-secret', findings);
    requireOne(jwtKeys, 'storage-proxy.secret', 'secrets.jwt-key', findings);
  }
  const { passwordFile } = valkey;
  const [fromFile = null] =
    passwordFile === undefined
      ? []
      : readSecrets([passwordFile], ['valkey', 'password-file'], findings);
  const valkeyPassword = valkey.password ?? fromFile;
  const servicePasswords = [valkeyPassword, valkey.sentinelPassword, etcd?.password].filter(
    (text) => text !== undefined && text !== null && text !== '',
  );
  return Object.assign(new Credentials(), {
    managerSecrets,
    jwtKeys,
    valkeyPassword,
    servicePasswords,
  });
}

/** One keeps the plain name; several are numbered from 1. */
function labelled(key: string, values: readonly string[]): LabelledSecret[] {
  return values.map((value, index) => ({
    label: values.length === 1 ? key : `${key}#${index + 1}`,
    value,
  }));
}

/** The first of equal ones stays. */
function unique(secrets: readonly LabelledSecret[]): LabelledSecret[] {
  return secrets.filter(
    ({ value }, index) => secrets.findIndex((other) => other.value === value) === index,
  );
}

function requireOne(values: readonly unknown[], key: string, other: string, found: Findings): void {
  if (values.length > 0) return;
  found.problems.push(`${key}: missing; set it, or ${other}s, or ${other}-files`);
}

function readSecrets(
  files: readonly string[],
  path: readonly string[],
  found: Findings,
): LabelledSecret[] {
  const key = formatKeyPath(path);
  return files.flatMap((file) => {
    try {
      if ((statSync(file).mode & 0o077) !== 0) {
        found.warnings.push(`${key}: ${file} can be read by others than its owner; chmod 600`);
      }
      const secret = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
      if (secret !== '') return [{ label: basename(file), value: secret }];
      found.problems.push(`${key}: ${file} is empty`);
    } catch (error) {
      found.problems.push(`${key}: cannot read ${file}: ${reasonOf(error)}`);
    }
    return [];
  });
}

/** The kernel's reason without the path and the call, which the line already has. */
export function reasonOf(error: unknown): string {
  const message = String(error);
  return /E[A-Z]+: [^,]+/.exec(message)?.[0] ?? message;
}
