import { existsSync, lstatSync, readFileSync } from 'node:fs';
import type { Answer } from '../../support/http.js';
import type { Proxy, TestFolder } from '../../support/proxy.js';

/** One defect of the reference storage proxy. Just one of the last three says what becomes of it here. */
export interface Row {
  /** What this proxy does instead. */
  readonly title: string;
  /** Fails when the defect is there. */
  readonly proof?: (proxy: Proxy) => Promise<void>;
  /** The suite and its test that prove it; for what takes long, or has to break or look into a process. */
  readonly suite?: readonly [file: string, says: string];
  /** Why the row cannot apply to plain filesystems, or to this release. */
  readonly notHere?: string;
}

/** By the number of the row. */
export type Rows = Readonly<Record<string, Row>>;

export const OUTSIDE = {
  type: 'storage/subpath/invalid',
  error_code: 'vfolder_access_invalid-parameters',
} as const;

export const fileCall = (
  proxy: Proxy,
  folder: TestFolder,
  operation: string,
  members: object,
): Promise<Answer> =>
  proxy.manager.call('POST', `/folder/file/${operation}`, { ...folder.ref, ...members });

export function download(
  proxy: Proxy,
  token: string,
  query: Readonly<Record<string, string>> = {},
  headers: Record<string, string> = {},
): Promise<Answer> {
  return proxy.client('GET', '/download', { token, ...query }, headers);
}

/** The central directory of a zip; `method` is 0 for stored and 8 for deflated. */
export function entriesOfZip({ bytes }: Pick<Answer, 'bytes'>): { name: string; method: number }[] {
  const entries: { name: string; method: number }[] = [];
  for (let at = bytes.indexOf('PK\u0001\u0002'); at >= 0;) {
    const end = at + 46 + bytes.readUInt16LE(at + 28);
    entries.push({
      name: bytes.toString('utf8', at + 46, end),
      method: bytes.readUInt16LE(at + 10),
    });
    at = bytes.indexOf('PK\u0001\u0002', end);
  }
  return entries;
}

export const namesInZip = (answer: Pick<Answer, 'bytes'>): string[] =>
  entriesOfZip(answer).map(({ name }) => name);

export const isThere = (path: string): boolean =>
  existsSync(path) || lstatSync(path, { throwIfNoEntry: false }) !== undefined;

export const textOf = (path: string): string => readFileSync(path, 'utf8');
