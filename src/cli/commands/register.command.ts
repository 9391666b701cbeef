import { loadSettings } from '../../config/load-settings.js';
import type { Settings } from '../../config/settings.js';
import { etcdKeys } from '../../cluster/cluster-services.js';
import { keyPart, type EtcdKeys } from '../../cluster/etcd/etcd-keys.js';
import { formatHostPort, type HostPort } from '../../grammar/host-port.js';
import { backends } from '../../backend/index.js';
import { etcdOptions } from '../worker/cluster-options.js';
import type { CommandContext, ConfigArguments } from './context.js';

export interface RegisterArguments extends ConfigArguments {
  readonly name?: string | undefined;
  readonly clientUrl?: string | undefined;
  readonly managerUrl?: string | undefined;
  readonly sslVerify?: boolean | undefined;
  readonly sftpScalingGroups?: string | undefined;
  readonly defaultVolume?: string | undefined;
  readonly dryRun?: boolean | undefined;
}

/** A key below the namespace, and what it is to hold. */
interface Entry {
  readonly key: string;
  readonly value: string;
  readonly isSecret?: boolean;
}

const HIDDEN = '(secret)';

/**
 * Writes the keys by which managers find this proxy (protocol section 7.4), and says what it changed. May be
 * repeated: what is right already is left alone.
 */
export async function registerCommand(
  given: RegisterArguments,
  { env, cwd, print, complain }: CommandContext,
): Promise<number> {
  const { settings, warnings } = loadSettings({ argvPath: given.config, env, cwd, backends });
  for (const warning of warnings) complain(`warning: ${warning}`);
  const etcd = etcdOptions(settings);
  if (etcd === null) {
    complain('etcd: missing; [etcd] says where managers look for their storage proxies');
    return 1;
  }
  const keys = etcdKeys(etcd, settings.storageProxy.nodeId);
  for (const entry of entries(settings, given)) {
    print(await write(keys, entry, given.dryRun ?? false));
  }
  return 0;
}

async function write(keys: EtcdKeys, entry: Entry, dryRun: boolean): Promise<string> {
  const { key, value, isSecret = false } = entry;
  const before = await keys.getGlobal(key);
  const shown = (text: string): string => (isSecret ? HIDDEN : text);
  const line = `${keys.globalKey(key)} = ${shown(value)}`;
  if (before === value) return `unchanged  ${line}`;
  if (!dryRun) await keys.put(key, value);
  const what = dryRun ? 'would write' : 'written   ';
  return `${what} ${line}${before === null ? '' : ` (was ${shown(before)})`}`;
}

function entries(settings: Settings, given: RegisterArguments): Entry[] {
  const { api, storageProxy, credentials } = settings;
  const name = given.name ?? storageProxy.nodeId;
  const proxy = `volumes/proxies/${keyPart(name)}`;
  const clientUrl =
    given.clientUrl ?? url(api.client.sslEnabled, api.client.serviceAddr, settings.clientPlane);
  const managerUrl =
    given.managerUrl ??
    url(api.manager.sslEnabled, api.manager.announceAddr, settings.managerPlane);
  const found: Entry[] = [
    { key: `${proxy}/client_api`, value: checkedUrl(clientUrl, '--client-url') },
    { key: `${proxy}/manager_api`, value: checkedUrl(managerUrl, '--manager-url') },
    { key: `${proxy}/secret`, value: credentials.managerSecrets[0]!.value, isSecret: true },
    { key: `${proxy}/ssl_verify`, value: String(given.sslVerify ?? true) },
  ];
  if (given.sftpScalingGroups !== undefined) {
    found.push({ key: `${proxy}/sftp_scaling_groups`, value: given.sftpScalingGroups });
  }
  if (given.defaultVolume !== undefined) {
    assertVolume(settings, given.defaultVolume);
    found.push({ key: 'volumes/default_host', value: `${name}:${given.defaultVolume}` });
  }
  return found;
}

function url(tls: boolean, address: HostPort, { basePath }: { basePath: string }): string {
  const path = basePath === '/' ? '' : basePath.replace(/\/$/, '');
  return `${tls ? 'https' : 'http'}://${formatHostPort(address)}${path}`;
}

/** @throws Error naming the option that has to be given */
function checkedUrl(text: string, option: string): string {
  let parsed: URL;
  try {
    parsed = new URL(text);
  } catch {
    throw new Error(`${option} = "${text}": must be the URL under which this plane is reached`);
  }
  if (!/^https?:$/.test(parsed.protocol)) throw new Error(`${option}: must be http or https`);
  if (/^(?:0\.0\.0\.0|\[::\])$/.test(parsed.hostname)) {
    throw new Error(`${option}: missing; the plane listens on all interfaces of ${text}`);
  }
  // Clients put a slash and a path behind it.
  return text.replace(/\/+$/, '');
}

function assertVolume({ volumes }: Settings, name: string): void {
  if (volumes.some((volume) => volume.name === name)) return;
  const known = volumes.map((volume) => volume.name).join(', ');
  throw new Error(`--default-volume = "${name}": must be a configured volume: ${known}`);
}
