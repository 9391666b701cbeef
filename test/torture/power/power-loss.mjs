/**
 * Cuts the power of a User-Mode-Linux guest at random moments, again and again, and lets the next guest on the same
 * disk check what was acknowledged; see guest.mjs. Arguments: how long, ms, the seed, and a module that servers
 * preload. Prints one JSON line: { cuts, acknowledged, verified, violations }.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../rigs/jest-command.mjs';
import { bootUml } from '../../rigs/uml.mjs';

const [, , durationMs, seed, preload] = process.argv;
const DISK_BYTES = 512 * 1024 ** 2;
/** After the first acknowledgement of a life; its first seconds have the most to lose. */
const LONGEST_LIFE_MS = 6_000;
const BOOT_TIMEOUT_MS = 240_000;

let state = Number(seed) >>> 0;
const random = (below) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * below);
};

// Not in /tmp: that is the guest's own.
const cache = join(repository, 'node_modules/.cache');
mkdirSync(cache, { recursive: true });
const directory = mkdtempSync(join(cache, 'power-loss-'));
const image = join(directory, 'disk');
const ledger = join(directory, 'ledger');
const figures = { cuts: 0, acknowledged: 0, verified: 0, violations: [] };
const facts = [];

try {
  writeFileSync(image, '');
  truncateSync(image, DISK_BYTES);
  execFileSync('mkfs.xfs', ['-q', image], { stdio: 'inherit' });
  const deadline = Date.now() + Number(durationMs);
  do {
    await live('work', random(LONGEST_LIFE_MS));
    figures.cuts++;
  } while (Date.now() < deadline && figures.violations.length === 0);
  await live('verify');
  figures.acknowledged = facts.filter((fact) => fact.acknowledged).length;
  console.log(JSON.stringify(figures));
} finally {
  rmSync(directory, { recursive: true, force: true });
}

async function live(mode, lifeMs) {
  writeFileSync(ledger, facts.map((fact) => `${JSON.stringify(fact)}\n`).join(''));
  const power = new AbortController();
  let text = '';
  const said = [];
  let isVerified = false;
  let ending;
  const code = await bootUml({
    disks: [{ image }],
    setup: 'mkdir -p /mnt/volume\nmount -t xfs /dev/ubda /mnt/volume',
    cwd: repository,
    command: [
      process.execPath,
      'test/torture/power/guest.mjs',
      ledger,
      mode,
      ...(preload ? [preload] : []),
    ],
    memory: '1G',
    timeoutMs: BOOT_TIMEOUT_MS,
    signal: power.signal,
    onOutput(more) {
      const lines = (text + more).split('\n');
      text = lines.pop();
      for (const line of lines) {
        const fact = factIn(line);
        if (fact === undefined) said.push(line);
        else if (fact.violation) figures.violations.push(fact.violation);
        else if (fact.verified !== undefined) {
          isVerified = true;
          figures.verified += fact.verified;
        } else facts.push(fact);
        if (lifeMs !== undefined && isVerified && fact?.acknowledged) {
          ending ??= setTimeout(() => power.abort(), lifeMs);
        }
      }
    },
  });
  clearTimeout(ending);
  const expected = mode === 'verify' ? 0 : 137;
  if (code !== expected) {
    throw new Error(`the guest ended with ${code} instead of ${expected}:\n${said.join('\n')}`);
  }
}

function factIn(line) {
  const at = line.indexOf('@@');
  if (at < 0) return undefined;
  try {
    return JSON.parse(line.slice(at + 2));
  } catch {
    return undefined;
  }
}
