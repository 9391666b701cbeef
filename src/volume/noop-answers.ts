import { EMPTY_FILE } from './files/opened-file.js';
import type { Files } from './files/files.js';
import type { QuotaScopes } from './quota-scopes.js';
import type { VFolders } from './vfolders.js';
import { NOOP } from './volume.js';

/**
 * The noop volume, which managers use for vfolders that they do not manage: every operation succeeds and
 * does nothing. Rather than a filesystem that pretends, there is this table of answers; whatever is not in
 * it is asked of the service itself. `hardwareInfo` and the like come from the noop backend.
 */
type Answers<Service> = {
  readonly [Method in keyof Service]?: Service[Method] extends (
    ...args: infer Args
  ) => Promise<infer Answer>
    ? (...args: Args) => Answer
    : never;
};

const done = (): void => undefined;

export const NOOP_QUOTA_SCOPES: Answers<QuotaScopes> = {
  create: done,
  describe: () => ({ usedBytes: null, limitBytes: null }),
  update: done,
  unset: done,
};

export const NOOP_VFOLDERS: Answers<VFolders> = {
  create: done,
  mountPath: () => '.',
  usage: () => ({ fileCount: 0, usedBytes: 0 }),
  quota: () => 0,
  setQuota: done,
};

export const NOOP_FILES: Answers<Files> = {
  mkdir: (_, paths) => paths.map((path) => ({ path })),
  list: () => ({ entries: [], truncated: false }),
  rename: done,
  move: done,
  delete: done,
  open: () => EMPTY_FILE,
};

/**
 * The service, except that calls on the noop volume get the table's answers. The volume is the first
 * argument, by name or as the `volume` of a vfolder reference.
 */
export function withNoopAnswers<Service extends object>(
  service: Service,
  answers: Answers<Service>,
): Service {
  return new Proxy(service, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target);
      if (typeof value !== 'function') return value;
      const answer = (answers as Record<PropertyKey, unknown>)[member];
      return (...args: unknown[]): unknown =>
        typeof answer === 'function' && namesNoop(args[0])
          ? Promise.resolve(answer(...args))
          : Reflect.apply(value, target, args);
    },
  });
}

function namesNoop(argument: unknown): boolean {
  if (typeof argument === 'string') return argument === NOOP;
  return (argument as { volume?: unknown } | undefined)?.volume === NOOP;
}
