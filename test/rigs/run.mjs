#!/usr/bin/env node
/**
 * Runs the suites that need a real filesystem of their own:
 *
 *   node test/rigs/run.mjs [NAME…] [-- JEST ARGUMENTS]
 *
 * Missing Debian packages are installed when this runs as root. A suite that is named must run; without names all
 * run when CI=true, and otherwise each is skipped with a line that says so. Exit status 1 when one failed.
 */
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { provision } from './packages.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const rigNames = readdirSync(here)
  .filter((file) => file.endsWith('.rig.mjs'))
  .map((file) => file.slice(0, -'.rig.mjs'.length))
  .toSorted();

/** Rigs that run at the same time. Each has its own ports and mounts; more than this only disturb each other. */
const AT_ONCE = 2;

const separator = process.argv.indexOf('--');
const named = process.argv.slice(2, separator < 0 ? undefined : separator);
const jestArguments = separator < 0 ? [] : process.argv.slice(separator + 1);

process.exitCode = await main();

async function main() {
  const unknown = named.filter((name) => !rigNames.includes(name));
  if (unknown.length > 0) {
    console.error(`No such rig: ${unknown.join(', ')}. There are ${rigNames.join(', ')}.`);
    return 2;
  }
  if (named.length === 1) return await runHere(named[0]);
  if (named.length === 0 && process.env.CI !== 'true') return skipAll();
  const failed = await runSideBySide(named.length > 0 ? named : rigNames);
  for (const name of failed) console.error(`The ${name} suite failed.`);
  return failed.length > 0 ? 1 : 0;
}

function skipAll() {
  for (const name of rigNames) {
    console.log(
      `SKIPPED the ${name} suite: run it with "npm run test:${name}", or all with CI=true.`,
    );
  }
  return 0;
}

async function runHere(name) {
  const rig = await import(`./${name}.rig.mjs`);
  await provision(rig.packages, name);
  return await rig.run(jestArguments);
}

/** Each in a process of its own, its output printed in one piece. Returns those that failed. */
async function runSideBySide(names) {
  // One after another: apt allows only one of itself.
  for (const name of names) {
    const { packages } = await import(`./${name}.rig.mjs`);
    await provision(packages, name);
  }
  const waiting = [...names];
  const failed = [];
  const work = async () => {
    for (let name; (name = waiting.shift()) !== undefined;) {
      const { code, output } = await runApart(name);
      process.stdout.write(`\n== ${name} ==\n${output}`);
      if (code !== 0) failed.push(name);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return failed;
}

function runApart(name) {
  const child = spawn(
    process.execPath,
    [fileURLToPath(import.meta.url), name, '--', ...jestArguments],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const chunks = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, output: Buffer.concat(chunks).toString() }));
  });
}
