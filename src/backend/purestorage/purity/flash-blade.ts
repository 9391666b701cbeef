import { numberIn, objectIn, textIn, type JsonObject } from './json-view.js';
import type { PurityClient } from './purity-client.js';
import { PurityError } from './purity-error.js';

/** One array, by its own account. */
export interface ArrayIdentity {
  readonly id: string | null;
  readonly name: string | null;
  readonly os: string | null;
  readonly revision: string | null;
  readonly version: string | null;
}

/** A file system. Bytes; `null` where the array does not tell. */
export interface FileSystem {
  readonly name: string;
  /** `null`: unlimited. */
  readonly provisionedBytes: number | null;
  /** Whether writes stop at `provisionedBytes`; otherwise that is a threshold for reports and alerts. */
  readonly hasHardLimit: boolean;
  /** As clients wrote them, which is what a hard limit counts. */
  readonly virtualBytes: number | null;
  readonly hasFastRemove: boolean;
}

/** After data reduction, snapshots included. Bytes. */
export interface ArraySpace {
  readonly capacityBytes: number | null;
  readonly usedBytes: number | null;
}

/** Operations/s, bytes/s and microseconds per operation, of NFS alone. */
export interface NfsPerformance {
  readonly readsPerSec: number;
  readonly writesPerSec: number;
  readonly readBytesPerSec: number;
  readonly writeBytesPerSec: number;
  readonly usecPerRead: number;
  readonly usecPerWrite: number;
}

export interface Trouble {
  readonly severity: 'warning' | 'critical';
  /** One line. */
  readonly text: string;
}

/** Reads what the proxy wants to know of an array. Sources of the names: vendor OpenAPI files 1.8 to 2.28. */
export class FlashBlade {
  constructor(private readonly client: PurityClient) {}

  async identity(): Promise<ArrayIdentity> {
    const { items } = await this.client.page('arrays');
    const item = items[0] ?? null;
    const text = (name: string): string | null => textIn(item, name);
    return {
      id: text('id'),
      name: text('name'),
      os: text('os'),
      revision: text('revision'),
      version: text('version'),
    };
  }

  /** `undefined` when there is none of the name, or only a destroyed one that waits for its eradication. */
  async fileSystem(name: string): Promise<FileSystem | undefined> {
    const isWanted = (each: JsonObject): boolean =>
      textIn(each, 'name') === name && each['destroyed'] !== true;
    try {
      const { items } = await this.client.page('file-systems', { names: name });
      const item = items.find(isWanted);
      return item && fileSystemOf(name, item);
    } catch (error) {
      const isRefused = error instanceof PurityError && [400, 404].includes(error.status ?? 0);
      if (!isRefused) throw error;
    }
    // A name without a match fails the request, but so does much else: only the list tells that there is none.
    for await (const item of this.client.items('file-systems')) {
      if (isWanted(item)) return fileSystemOf(name, item);
    }
    return undefined;
  }

  async space(): Promise<ArraySpace> {
    const { items } = await this.client.page('arrays/space', { type: 'array' });
    const item = items[0] ?? null;
    const space = objectIn(item, 'space');
    return {
      capacityBytes: numberIn(item, 'capacity'),
      // `total_physical` is deprecated by `total_used` from 2.16 on.
      usedBytes: numberIn(space, 'total_used') ?? numberIn(space, 'total_physical'),
    };
  }

  /** The newest sample; `undefined` when the array has none of this file system. A file system that is idle has zeros. */
  async nfsPerformance(name: string): Promise<NfsPerformance | undefined> {
    const { items } = await this.client.page('file-systems/performance', {
      names: name,
      protocol: 'NFS',
    });
    const sample = items.find((each) => textIn(each, 'name') === name);
    if (sample === undefined) return undefined;
    const rate = (member: string): number => Math.max(0, numberIn(sample, member) ?? 0);
    return {
      readsPerSec: rate('reads_per_sec'),
      writesPerSec: rate('writes_per_sec'),
      readBytesPerSec: rate('read_bytes_per_sec'),
      writeBytesPerSec: rate('write_bytes_per_sec'),
      usecPerRead: rate('usec_per_read_op'),
      usecPerWrite: rate('usec_per_write_op'),
    };
  }

  async bladeCount(): Promise<number> {
    const { itemCount, items } = await this.client.page('blades', { limit: 1 });
    if (itemCount !== null) return itemCount;
    if (items.length === 0) return 0;
    let count = 0;
    for await (const _ of this.client.items('blades')) count++;
    return count;
  }

  /** Alerts that are open, and hardware that is not well. */
  async troubles(): Promise<Trouble[]> {
    const found: Trouble[] = [];
    for await (const alert of this.client.items('alerts', { filter: "state='open'" })) {
      const trouble = troubleOfAlert(alert);
      if (trouble) found.push(trouble);
    }
    for await (const part of this.client.items('hardware')) {
      const trouble = troubleOfHardware(part);
      if (trouble) found.push(trouble);
    }
    return found;
  }
}

function fileSystemOf(name: string, item: JsonObject): FileSystem {
  // Unlimited is 0 in 1.x and null in 2.x.
  const provisionedBytes = numberIn(item, 'provisioned') || null;
  return {
    name,
    provisionedBytes,
    hasHardLimit: item['hard_limit_enabled'] === true && provisionedBytes !== null,
    virtualBytes: numberIn(objectIn(item, 'space'), 'virtual'),
    hasFastRemove: item['fast_remove_directory_enabled'] === true,
  };
}

/** The filter is the array's work, but an array that ignored it must not report what is over. */
function troubleOfAlert(alert: JsonObject): Trouble | undefined {
  const severity = textIn(alert, 'severity');
  const state = textIn(alert, 'state');
  if (severity !== 'warning' && severity !== 'critical') return undefined;
  if (state === 'closed' || state === 'closing') return undefined;
  // 1.x has `subject` and `component`, 2.x `summary` and `component_name`.
  const about = textIn(alert, 'component_name') ?? textIn(alert, 'component');
  const what = textIn(alert, 'summary') ?? textIn(alert, 'subject') ?? textIn(alert, 'description');
  const text = [about, what].filter((part) => part !== null).join(': ');
  return { severity, text: `alert: ${text === '' ? 'without a text' : text}` };
}

/** `identifying` is a lamp that somebody switched on; `unused` and `unknown` slots are empty ones. */
function troubleOfHardware(part: JsonObject): Trouble | undefined {
  const status = textIn(part, 'status');
  if (status !== 'critical' && status !== 'unhealthy') return undefined;
  const details = textIn(part, 'details');
  const name = textIn(part, 'name') ?? 'a part';
  return {
    severity: status === 'critical' ? 'critical' : 'warning',
    text: `hardware: ${name} is ${status}${details === null ? '' : ` (${details})`}`,
  };
}
