import { backends } from '../../backend/index.js';
import { checkConfig, loadSettings, type ReadingOptions } from '../../config/load-settings.js';
import type { ConfigLocation } from '../../config/find-config-file.js';
import type { Settings } from '../../config/settings.js';
import { configureLogging } from '../../observability/logger.js';
import { AgentArrangement } from '../agent/agent-arrangement.js';
import { installation } from '../installation.js';
import { workerIdentity, type Identity } from '../primary/identity.js';
import { readTlsMaterial } from '../primary/tls-material.js';
import { checkVolumes } from '../check/check-volumes.js';
import type { CommandContext, ConfigArguments } from './context.js';

export interface CheckConfigArguments extends ConfigArguments {
  readonly probe?: boolean | undefined;
}

/** Checks the configuration as `serve` would, but strictly: a line for each problem, exit code 1 if there is any. */
export async function checkConfigCommand(
  { config, probe }: CheckConfigArguments,
  { env, cwd, print, complain }: CommandContext,
): Promise<number> {
  const options = { argvPath: config, env, cwd, backends, strict: true };
  const { problems, warnings, source } = checkConfig(options);
  const found = [...problems];
  for (const warning of warnings) complain(`warning: ${warning}`);
  if (found.length === 0) found.push(...(await checkSurroundings(options, probe ?? false)));
  for (const problem of found) complain(problem);
  if (found.length > 0) return 1;
  print(`${source}: good`);
  return 0;
}

/** With the agent that `serve` would have. */
async function probeVolumes(settings: Settings, identity: Identity): Promise<string[]> {
  configureLogging({ level: 'fatal', destination: 'stderr' });
  const agent = new AgentArrangement(settings, identity, {
    entry: installation.agentEntry,
    isQuiet: true,
  });
  try {
    await agent.start();
    const entry = installation.volumeCheckEntry;
    return await checkVolumes(settings, identity, { entry, agent: agent.access });
  } finally {
    await agent.end();
  }
}

/** What `serve` would need besides: accounts, certificates, and with `probe` the volumes. */
async function checkSurroundings(
  options: ConfigLocation & ReadingOptions,
  probe: boolean,
): Promise<string[]> {
  try {
    const { settings } = loadSettings(options);
    const { user, group } = settings.storageProxy;
    const identity = workerIdentity({ user, group, installation: installation.file });
    readTlsMaterial(settings);
    return probe ? await probeVolumes(settings, identity) : [];
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n');
  }
}
