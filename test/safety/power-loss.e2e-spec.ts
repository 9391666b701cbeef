import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { isInstalled } from '../support/programs.js';
import { budgetMs, report } from '../torture/mode.js';
import { SEED } from '../torture/random.js';

/** One cut, and one guest that looks. */
const CUTS_MS = budgetMs(1, 0.2);
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

(mayBoot ? it : it.skip)(
  'what was acknowledged survives the loss of power',
  async () => {
    const child = spawn(process.execPath, [DRIVER, String(CUTS_MS), String(SEED)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect({ code, output }).toMatchObject({ code: 0 });
    const { violations, ...figures } = JSON.parse(output) as Figures;
    report('power loss', { seed: SEED, ...figures, violations: violations.length });
    expect(violations).toEqual([]);
    expect(figures.acknowledged).toBeGreaterThan(0);
    expect(figures.verified).toBeGreaterThan(0);
  },
  CUTS_MS + 600_000,
);
