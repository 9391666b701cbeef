import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { StorageError } from '../../errors/storage-error.js';
import type {
  Backend,
  BackendDescriptor,
  VolumeSettings,
  VolumeStrategies,
} from '../contract/backend.js';
import { lookAtMount, MountCheck } from '../posix/mount-check.js';
import { posixStrategies } from '../posix/posix-strategies.js';
import { checkNfsMount } from './nfs-mount.js';
import { pureStorageTrees, RESERVED_NAMES, type PureStorageTrees } from './purestorage-trees.js';
import { PureStorageTelemetry } from './purestorage-telemetry.js';
import { PureStorageOptions } from './purestorage.options.js';
import { endpointWarnings } from './endpoint-warnings.js';
import { parseApiVersion } from './purity/api-version.js';
import { FlashBlade, type FileSystem } from './purity/flash-blade.js';
import { PurityError } from './purity/purity-error.js';
import { ToolError } from './rapidfile/tool-error.js';
import { SharedClients, type ClientLease } from './purity/shared-clients.js';

type Settings = VolumeSettings<PureStorageOptions>;

/**
 * A file system of a Pure Storage FlashBlade, mounted over NFSv3.
 *
 * Relies on the NFS mount for data; on the Purity//FB REST API, 1.8 to 1.12 or 2.x, for capacity, performance and
 * health (vendor OpenAPI files); and on the RapidFile Toolkit 1 or 2 for trees. A FlashBlade has limits for whole file
 * systems and for users, none for directories, and all vfolders belong to the proxy's user: no quota of a scope
 * could be enforced, so none is claimed.
 */
@Injectable()
export class PureStorageBackend implements Backend<PureStorageOptions> {
  readonly #mounts = new MountCheck(lookAtMount);
  readonly #clients = new SharedClients();

  async open(settings: Settings): Promise<VolumeStrategies> {
    const { name, path, options } = settings;
    const { hasLayoutMarker } = await this.#mounts.check(name, path);
    const warnings = await checkNfsMount(name, path, options);
    warnings.push(...endpointWarnings(name, options));
    if (!hasLayoutMarker) warnings.push(missingMarker(name, path));
    const lease = await this.#connect(settings);
    try {
      const array = new FlashBlade(lease.client);
      const fileSystem = await findFileSystem(settings, array);
      const trees = await treesOf(settings, fileSystem);
      const telemetry = new PureStorageTelemetry(array, {
        volume: name,
        fileSystem: options.fileSystem,
        endpoint: options.endpoint,
        localTroubles: trees.troubles,
      });
      const better = { trees: trees.trees, telemetry, reservedNames: RESERVED_NAMES };
      return withRelease(
        posixStrategies(settings, [...warnings, ...trees.warnings], better),
        lease,
      );
    } catch (error) {
      await lease.release();
      throw error;
    }
  }

  async #connect({ name, options }: Settings): Promise<ClientLease> {
    const { caFile, apiVersion, endpoint, verifyTls, timeoutMs } = options;
    return this.#clients.lease({
      endpoint: new URL(endpoint),
      apiToken: await apiTokenOf(name, options),
      version: apiVersion === undefined ? null : (parseApiVersion(apiVersion) ?? null),
      verifyTls,
      ca: caFile === undefined ? undefined : await readAuthority(name, caFile),
      timeoutMs,
    });
  }
}

/** Asks the array for the first time, so that whatever is wrong with it comes out here. */
async function findFileSystem({ name, options }: Settings, array: FlashBlade): Promise<FileSystem> {
  const { fileSystem } = options;
  try {
    const found = await array.fileSystem(fileSystem);
    if (found !== undefined) return found;
  } catch (error) {
    if (error instanceof PurityError) throw unusable(name, error.message, error);
    throw error;
  }
  throw unusable(name, `the array has no file system "${fileSystem}". Correct "purity_fs_name"`);
}

async function treesOf(
  { name: volume, path, options }: Settings,
  fileSystem: FileSystem,
): Promise<PureStorageTrees> {
  try {
    return await pureStorageTrees({ volume, path, options, fileSystem });
  } catch (error) {
    if (error instanceof ToolError) throw unusable(volume, error.message, error);
    throw error;
  }
}

/** Anything but one word of ASCII could not be sent in a header, or was never a token: a page of help, for instance. */
async function apiTokenOf(
  volume: string,
  { apiToken, tokenFile = '' }: PureStorageOptions,
): Promise<string> {
  const key = apiToken === undefined ? 'purity_api_token_file' : 'purity_api_token';
  const token = apiToken ?? (await readText(volume, key, tokenFile)).replace(/\r?\n$/, '');
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const where = apiToken === undefined ? `${tokenFile} of "${key}"` : `"${key}"`;
  throw unusable(volume, `${where} holds no API token, which is one word`);
}

async function readAuthority(volume: string, path: string): Promise<string> {
  const text = await readText(volume, 'purity_ca_file', path);
  try {
    void new X509Certificate(text);
    return text;
  } catch (error) {
    throw unusable(volume, `${path} of "purity_ca_file" holds no certificate in PEM`, error);
  }
}

async function readText(volume: string, key: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw unusable(volume, `${path} of "${key}" cannot be read (${code ?? String(error)})`, error);
  }
}

function withRelease(strategies: VolumeStrategies, lease: ClientLease): VolumeStrategies {
  return {
    ...strategies,
    close: async (deadlineMs) => {
      const isOver = new AbortController();
      const late = sleep(deadlineMs, undefined, { signal: isOver.signal }).catch(() => undefined);
      // An array that does not answer the goodbye holds up nothing.
      await Promise.all([strategies.close(deadlineMs), Promise.race([lease.release(), late])]);
      isOver.abort();
    },
  };
}

function unusable(volume: string, why: string, cause?: unknown): StorageError {
  return new StorageError(
    'UNAVAILABLE',
    `Volume "${volume}" cannot be used: ${why}`,
    { subject: 'volume', volume },
    { cause },
  );
}

/** Scoped and bare ids are both served whatever the marker says, so its absence stops nothing. */
function missingMarker(name: string, path: string): string {
  return (
    `Volume "${name}" has no ${path}/version.txt, so it is read as one of the layout before quota scopes. ` +
    `Vfolders of both layouts are served; write "3" to that file once none of the old layout is left`
  );
}

export const pureStorageBackend: BackendDescriptor<PureStorageOptions> = {
  name: 'purestorage',
  backend: PureStorageBackend,
  options: PureStorageOptions,
};
