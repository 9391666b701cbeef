import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { formatHostPort } from '../grammar/host-port.js';
import { formatKeyPath, showValue } from '../grammar/section/key-path.js';
import type { Settings } from './settings.js';

interface Findings {
  readonly problems: string[];
  readonly warnings: string[];
}

/** Rules that one key alone cannot tell. Adds to the findings; values that could not be read are passed over. */
export function crossCheck(settings: Settings, findings: Findings): void {
  for (const plane of ['client', 'manager'] as const) checkTls(settings, plane, findings);
  checkAddresses(settings, findings);
  checkVolumeNames(settings, findings);
  checkVolumePaths(settings, findings);
  checkNumbers(settings, findings);
  checkAudit(settings, findings);
  checkValkey(settings, findings);
}

function checkTls(
  { api }: Settings,
  plane: 'client' | 'manager',
  { problems, warnings }: Findings,
): void {
  const { sslEnabled, sslCert, sslPrivkey } = api[plane];
  for (const [name, file] of [
    ['ssl-cert', sslCert],
    ['ssl-privkey', sslPrivkey],
  ] as const) {
    const key = `api.${plane}.${name}`;
    if (sslEnabled && file === undefined) {
      problems.push(`${key}: missing; api.${plane}.ssl-enabled = true needs a PEM file here`);
    } else if (sslEnabled && file !== undefined && !existsSync(file)) {
      problems.push(`${key} = ${showValue(file)}: must be a PEM file; there is no such file`);
    } else if (!sslEnabled && file !== undefined) {
      warnings.push(`${key}: has no effect while api.${plane}.ssl-enabled is false`);
    }
  }
}

function checkAddresses({ api }: Settings, { problems }: Findings): void {
  const taken = new Map<string, string>();
  const listeners = [
    ['api.client.service-addr', api.client.serviceAddr],
    ['api.manager.service-addr', api.manager.serviceAddr],
    ['api.manager.internal-addr', api.manager.internalAddr],
  ] as const;
  for (const [key, address] of listeners) {
    const text = formatHostPort(address);
    const other = taken.get(text);
    if (other !== undefined && address.port !== 0) {
      problems.push(`${key} = ${showValue(text)}: must differ from ${other}`);
    }
    taken.set(text, key);
  }
}

function checkVolumeNames({ volumes }: Settings, { problems, warnings }: Findings): void {
  if (volumes.length === 0) {
    warnings.push('volume: no volume is configured; the proxy will never be ready');
  }
  for (const { name } of volumes) {
    const key = formatKeyPath(['volume', name]);
    if (name === 'noop') {
      problems.push(`${key}: must have another name; "noop" is built in`);
      // Managers write `<proxy>:<volume>`, and names appear in paths of our own API.
    } else if (!/^[^\s/:\p{Cc}]+$/u.test(name)) {
      problems.push(`${key}: must have a name without blanks, "/", ":" and control characters`);
    }
  }
}

function checkVolumePaths({ volumes }: Settings, { warnings }: Findings): void {
  const taken = new Map<string, string>();
  for (const { name, path } of volumes) {
    const other = taken.get(path);
    if (path !== undefined && other !== undefined) {
      warnings.push(
        `${formatKeyPath(['volume', name, 'path'])}: is also the path of volume ${showValue(other)}`,
      );
    }
    taken.set(path, name);
  }
}

function checkAudit({ audit: { sink, file } }: Settings, { problems, warnings }: Findings): void {
  if (sink === 'file' && file === undefined) {
    problems.push('audit.file: missing; audit.sink = "file" needs it');
  } else if (sink !== 'file' && file !== undefined) {
    warnings.push(`audit.file: has no effect while audit.sink is "${sink}"`);
  }
}

function checkValkey({ valkey, etcd }: Settings, { problems, warnings }: Findings): void {
  const { addr, sentinels, serviceName, password, passwordFile } = valkey;
  if (sentinels !== undefined && serviceName === undefined) {
    problems.push('valkey.service-name: missing; valkey.sentinels need it');
  }
  if (password !== undefined && passwordFile !== undefined) {
    warnings.push('valkey.password-file: has no effect while valkey.password is set');
  }
  if ((addr !== undefined || sentinels !== undefined) && etcd !== undefined) {
    warnings.push('etcd: not asked for the address of Valkey, which [valkey] has');
  }
}

function checkNumbers(
  { health, storageProxy, logging }: Settings,
  { problems, warnings }: Findings,
): void {
  if (health.probeTimeoutMs > health.probeIntervalMs) {
    problems.push('health.probe-timeout: must not be longer than health.probe-interval');
  }
  const cpus = availableParallelism();
  if (storageProxy.numProc > cpus) {
    warnings.push(`storage-proxy.num-proc: ${storageProxy.numProc} workers on ${cpus} CPUs`);
  }
  const unserved = logging.drivers.filter((driver) => driver !== 'console');
  if (unserved.length > 0) {
    warnings.push(
      `logging.drivers: only "console" is served, not ${unserved.map(showValue).join(', ')}; collect logs from standard output`,
    );
  }
}
