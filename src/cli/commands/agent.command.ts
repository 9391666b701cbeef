import { loadSettings, type LoadedSettings } from '../../config/load-settings.js';
import type { Settings } from '../../config/settings.js';
import { backends } from '../../backend/index.js';
import { assertConfinementWorks } from '../../native/beneath.js';
import { loggerFor } from '../../observability/logger.js';
import { configuredDoor, type AgentDoor } from '../agent/agent-accounts.js';
import { AgentSupervisor } from '../agent/agent-supervisor.js';
import { installation } from '../installation.js';
import { configureLoggingFrom } from '../logging.js';
import { workerIdentity } from '../primary/identity.js';
import { onSignals } from '../signals.js';
import type { CommandContext, ConfigArguments } from './context.js';

const log = loggerFor('agent');
const UMASK = 0o022;
/** For what is being answered; a removal goes on with the next agent. */
const END_MS = 10_000;

/** Runs the agent until it is told to end. Resolves with the exit code. */
export async function agentCommand(
  { config }: ConfigArguments,
  { env, cwd, complain }: CommandContext,
): Promise<number> {
  const load = (): LoadedSettings => loadSettings({ env, cwd, argvPath: config, backends });
  let supervisor: AgentSupervisor;
  try {
    const { settings, warnings } = load();
    process.umask(UMASK);
    process.title = 'storage-proxy: agent supervisor';
    configureLoggingFrom(settings, {});
    for (const warning of warnings) log.warn(warning);
    await assertConfinementWorks();
    warnOfLessThanRoot();
    const door = doorOf(settings);
    supervisor = new AgentSupervisor(settings, { entry: installation.agentEntry, door });
  } catch (error) {
    for (const line of messageOf(error).split('\n')) complain(line);
    return 1;
  }
  return await runToEnd(supervisor, load);
}

function doorOf(settings: Settings): AgentDoor {
  const { user, group } = settings.storageProxy;
  return configuredDoor(settings, workerIdentity({ user, group, installation: installation.file }));
}

function warnOfLessThanRoot(): void {
  const uid = process.geteuid?.();
  if (uid === 0) return;
  log.warn('The agent does not run as root: it can do no more than the proxy itself', { uid });
}

function runToEnd(supervisor: AgentSupervisor, load: () => LoadedSettings): Promise<number> {
  return new Promise((resolve) => {
    const finish = async (code: number): Promise<void> => {
      await supervisor.end(END_MS);
      stopListening();
      resolve(code);
    };
    const stopListening = onSignals({
      end: () => void finish(0),
      reload: () => reload(supervisor, load),
    });
    supervisor.start().catch((error: unknown) => {
      log.fatal(messageOf(error));
      void finish(1);
    });
  });
}

/** A configuration that cannot be used changes nothing. */
function reload(supervisor: AgentSupervisor, load: () => LoadedSettings): void {
  try {
    supervisor.update(load().settings);
    log.info('Configuration read again: volumes and log level');
  } catch (error) {
    for (const problem of messageOf(error).split('\n')) {
      log.error(`Configuration not read again: ${problem}`);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
