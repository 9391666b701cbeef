#!/usr/bin/env node
/**
 * The long mode of the safety suite: `npm run torture -- --minutes N [--seed S] [-- JEST ARGUMENTS]`.
 *
 * The same tests as in `test/safety`, each going on for its share of N minutes, one after another. Prints the seed,
 * with which a run can be repeated as far as the kernel's scheduling allows, and the figures. Exit status 1 when a
 * promise was broken.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawn } from 'node:child_process';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { jestCommand, repository } from '../rigs/jest-command.mjs';
import { provision } from '../rigs/packages.mjs';
import { name as suite, packages, prepare } from '../rigs/safety.rig.mjs';

const {
  minutes,
  seed,
  _: jestArguments,
} = yargs(hideBin(process.argv))
  .parserConfiguration({ 'populate--': false })
  .options({
    minutes: { type: 'number', demandOption: true, describe: 'How long, about' },
    seed: { type: 'number', default: randomInt(2 ** 31), describe: 'Of a run to repeat' },
  })
  .strictOptions()
  .parseSync();

await provision(packages, suite);
const directory = mkdtempSync(join(tmpdir(), 'torture-'));
const figures = join(directory, 'figures.jsonl');
console.log(`torture: ${minutes} minutes, seed ${seed}`);
const started = Date.now();
const code = await run();
show();
rmSync(directory, { recursive: true });
process.exitCode = code === 0 ? 0 : 1;

function run() {
  const [program, ...command] = jestCommand(suite, ['--runInBand', ...jestArguments.map(String)]);
  const child = spawn(program, command, {
    cwd: repository,
    stdio: 'inherit',
    env: {
      ...process.env,
      ...prepare(),
      TORTURE_MINUTES: String(minutes),
      TORTURE_SEED: String(seed),
      TORTURE_FIGURES: figures,
    },
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

function show() {
  const took = ((Date.now() - started) / 60_000).toFixed(1);
  console.log(
    `\ntorture: seed ${seed}, ${took} minutes, ${code === 0 ? 'no violation' : 'FAILED'}`,
  );
  let lines;
  try {
    lines = readFileSync(figures, 'utf8').trim().split('\n');
  } catch {
    return;
  }
  for (const line of lines) {
    const { part, ...values } = JSON.parse(line);
    console.log(`  ${part}`);
    for (const [name, value] of Object.entries(values)) console.log(`    ${name}: ${value}`);
  }
}
