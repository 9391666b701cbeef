import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { isInstalled } from '../support/programs.js';
import { budgetMs, isLongMode, report } from '../torture/mode.js';
import { SEED } from '../torture/random.js';

/** One cut, and one guest that looks. */
const CUTS_MS = budgetMs(1, 0.1);
/** Ends with the first violation. */
const WITHOUT_SYNC_MS = 300_000;
const WITHOUT_SYNC = join(process.cwd(), 'test/torture/power/without-sync.mjs');
const DRIVER = join(process.cwd(), 'test/torture/power/power-loss.mjs');
const mayBoot = isInstalled('linux.uml') && isInstalled('mkfs.xfs');
if (!mayBoot) {
  process.stderr.write('SKIPPED: power loss, which needs user-mode-linux and xfsprogs\n');
}

interface Figures {
  readonly cuts: number;
  readonly acknowledged: number;
  readonly verified: number;
  readonly violations: readonly string[];
}

async function cutPower(durationMs: number, ...preload: string[]): Promise<Figures> {
  const child = spawn(process.execPath, [DRIVER, String(durationMs), String(SEED), ...preload], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ code, output }).toMatchObject({ code: 0 });
  return JSON.parse(output) as Figures;
}

(mayBoot ? it : it.skip)(
  'what was acknowledged survives the loss of power',
  async () => {
    const { violations, ...figures } = await cutPower(CUTS_MS);
    report('power loss', { seed: SEED, ...figures, violations: violations.length });
    expect(violations).toEqual([]);
    expect(figures.acknowledged).toBeGreaterThan(0);
    expect(figures.verified).toBeGreaterThan(0);
  },
  CUTS_MS + 600_000,
);

(mayBoot && isLongMode ? it : it.skip)(
  'a server that does not sync is found out',
  async () => {
    const { violations, cuts, acknowledged } = await cutPower(WITHOUT_SYNC_MS, WITHOUT_SYNC);
    report('power loss without syncs', { cuts, acknowledged, violations: violations.length });
    expect(violations).not.toEqual([]);
  },
  WITHOUT_SYNC_MS + 600_000,
);
