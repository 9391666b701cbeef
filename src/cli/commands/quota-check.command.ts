import type { VolumeSettings } from '../../backend/contract/backend.js';
import { backends } from '../../backend/index.js';
import type { Finding } from '../../backend/xfs/drift/finding.js';
import { QuotaDrift } from '../../backend/xfs/drift/quota-drift.js';
import { XFS } from '../../backend/xfs/local-volume-agent.js';
import type { XfsOptions } from '../../backend/xfs/xfs.options.js';
import { loadSettings } from '../../config/load-settings.js';
import { configureLogging } from '../../observability/logger.js';
import { ProgressBar } from '../progress-bar.js';
import { volumeSettings } from '../worker/domain-settings.js';
import type { CommandContext, ConfigArguments } from './context.js';

const WRONG_COMMAND_LINE = 2;

export interface QuotaCheckArguments extends ConfigArguments {
  readonly fix?: boolean | undefined;
  /** Names; all xfs volumes when there are none. */
  readonly volume?: readonly string[] | undefined;
}

/**
 * Prints a line for whatever is not as quotas need it. Exit code 0 when nothing is, or everything was repaired; 1
 * when something is left, or a volume could not be looked at; 2 for a volume that is not an xfs one.
 */
export async function quotaCheckCommand(
  { config, fix = false, volume: names = [] }: QuotaCheckArguments,
  { env, cwd, print, complain }: CommandContext,
): Promise<number> {
  configureLogging({ level: 'warn', destination: 'stderr' });
  const { settings } = loadSettings({ argvPath: config, env, cwd, backends });
  const volumes = volumeSettings(settings, backends).filter(isXfs);
  const unknown = names.filter((name) => !volumes.some((volume) => volume.name === name));
  if (unknown.length > 0) {
    const there = volumes.map(({ name }) => name).join(', ') || 'none';
    complain(`no xfs volume is named ${unknown.join(', ')}; there are: ${there}`);
    return WRONG_COMMAND_LINE;
  }
  const chosen = volumes.filter(({ name }) => names.length === 0 || names.includes(name));
  if (chosen.length === 0) print('No xfs volume is configured.');
  let exitCode = 0;
  for (const volume of chosen) {
    const neighbours = volumes.filter((other) => other !== volume).map(({ path }) => path);
    const isGood = await check(volume, { fix, neighbours }, { print, complain });
    if (!isGood) exitCode = 1;
  }
  return exitCode;
}

async function check(
  volume: VolumeSettings<XfsOptions>,
  { fix, neighbours }: { fix: boolean; neighbours: readonly string[] },
  { print, complain }: Pick<CommandContext, 'print' | 'complain'>,
): Promise<boolean> {
  const counts = { found: 0, repaired: 0, note: 0 };
  const bar = new ProgressBar(process.stderr, volume.name);
  const drift = new QuotaDrift(volume, {
    fix,
    neighbours,
    onFinding(finding) {
      counts[finding.state] += 1;
      bar.clear();
      print(lineOf(volume, finding));
    },
    onProgress: (entries, expected) => bar.show(entries, expected),
  });
  try {
    await drift.run();
  } catch (error) {
    bar.clear();
    complain(`${volume.name}: ${error instanceof Error ? error.message : String(error)}`);
    return false;
  }
  bar.clear();
  print(`${volume.name}: ${summary(counts)}`);
  return counts.found === 0;
}

function lineOf({ name, path }: VolumeSettings, finding: Finding): string {
  const where = finding.path === null ? '' : ` ${path}/${finding.path}`;
  const outcome = finding.state === 'repaired' ? ' (repaired)' : '';
  return `${name}: ${finding.kind}:${where} ${finding.text}${outcome}`;
}

function summary({ found, repaired }: { found: number; repaired: number }): string {
  if (found === 0 && repaired === 0) return 'quotas are in order';
  const parts = [];
  if (repaired > 0) parts.push(`${repaired} repaired`);
  if (found > 0) parts.push(`${found} left to repair`);
  return parts.join(', ');
}

function isXfs(volume: VolumeSettings): volume is VolumeSettings<XfsOptions> {
  return volume.backend === XFS;
}
