import { relative } from 'node:path';
import { ConfigError } from '../../config/config-error.js';
import { devFiles, devSettings } from '../../config/dev-settings.js';
import {
  loadSettings,
  type LoadedSettings,
  type ReadingOptions,
} from '../../config/load-settings.js';
import { assertConfinementWorks } from '../../native/beneath.js';
import { forbidCoreDumps } from '../../native/resource-limits.js';
import { loggerFor } from '../../observability/logger.js';
import { backends } from '../../backend/index.js';
import { devBanner } from '../dev-banner.js';
import { installation } from '../installation.js';
import { configureLoggingFrom } from '../logging.js';
import { workerIdentity, type Identity } from '../primary/identity.js';
import { writePidFile } from '../primary/pid-file.js';
import { Primary } from '../primary/primary.js';
import { onSignals } from '../signals.js';
import type { CommandContext, ConfigArguments } from './context.js';

const log = loggerFor('primary');
/** Relative to the working directory, so that a clone keeps its playground to itself. */
const DEV_DIRECTORY = 'var';
const DEFAULT_UMASK = 0o022;

export interface ServeArguments extends ConfigArguments {
  readonly dev?: boolean | undefined;
  readonly logLevel?: string | undefined;
  readonly debug?: boolean | undefined;
  readonly strict?: boolean | undefined;
}

/** Serves until it is told to end. Resolves with the exit code. */
export async function serveCommand(
  given: ServeArguments,
  context: CommandContext,
): Promise<number> {
  const load = loader(given, context);
  let primary: Primary;
  let settings: LoadedSettings['settings'];
  let removePidFile: () => void;
  try {
    const loaded = load();
    ({ settings } = loaded);
    forbidCoreDumps();
    process.umask(DEFAULT_UMASK);
    process.title = 'storage-proxy: primary';
    configureLoggingFrom(settings, {});
    for (const warning of loaded.warnings) log.warn(warning);
    await assertConfinementWorks();
    const identity = given.dev ? {} : identityFor(settings);
    withholdEnvironment();
    primary = new Primary({
      loaded,
      reload: load,
      identity,
      workerEntry: installation.workerEntry,
      proberEntry: installation.proberEntry,
      agentEntry: installation.agentEntry,
      watchdog: !given.dev,
    });
    removePidFile = writePidFile(settings.storageProxy.pidFile);
  } catch (error) {
    complain(error, context);
    return 1;
  }
  try {
    return await runToEnd(primary, () => announce(given, settings, context));
  } finally {
    removePidFile();
  }
}

/** Reads the configuration; again at each call. */
function loader(given: ServeArguments, { env, cwd }: CommandContext): () => LoadedSettings {
  const options: ReadingOptions = {
    env,
    strict: given.strict ?? false,
    flags: { debug: given.debug, logLevel: given.logLevel },
    backends,
  };
  if (given.dev) return () => devSettings(DEV_DIRECTORY, options);
  return () => loadSettings({ ...options, argvPath: given.config, cwd });
}

function identityFor({ storageProxy: { user, group } }: LoadedSettings['settings']): Identity {
  const identity = workerIdentity({ user, group, installation: installation.file });
  if (process.geteuid?.() === 0 && identity.uid === undefined) {
    log.warn(
      'Workers run as root: set storage-proxy.user, or let somebody else own the installation',
    );
  }
  return identity;
}

/** Children get what they need over their pipes; overrides may hold secrets, and an environment is easily read. */
function withholdEnvironment(): void {
  for (const name of Object.keys(process.env)) {
    if (/^(STORAGE_PROXY__|BACKEND_ETCD_)/.test(name)) delete process.env[name];
  }
}

async function runToEnd(primary: Primary, started: () => void): Promise<number> {
  return new Promise((resolve) => {
    const stopListening = onSignals({
      end: () => {
        void primary.end().then(() => finish(0));
      },
      reload: () => primary.reload(),
    });
    const finish = (code: number): void => {
      stopListening();
      resolve(code);
    };
    primary.start().then(started, async (error: Error) => {
      log.fatal(error.message);
      await primary.abort();
      finish(1);
    });
  });
}

function announce(
  { dev }: ServeArguments,
  settings: LoadedSettings['settings'],
  { print, cwd }: CommandContext,
): void {
  if (!dev) {
    log.info('Serving', { version: installation.version, workers: settings.storageProxy.numProc });
    return;
  }
  const secretFile = relative(cwd, devFiles(DEV_DIRECTORY).managerSecret);
  print(devBanner(settings, secretFile, installation.version));
}

/** One line for each problem. */
function complain(error: unknown, context: CommandContext): void {
  const warnings = error instanceof ConfigError ? error.warnings : [];
  const text = error instanceof Error ? error.message : String(error);
  for (const line of warnings) context.complain(`warning: ${line}`);
  for (const line of text.split('\n')) context.complain(line);
}
