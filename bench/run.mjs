/**
 * `npm run bench [-- NAME...]`: measures the built product next to its peers; see README.md. Options: --quick
 * (one round, a tenth of the work), --rounds N.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildLoad } from './lib/load.mjs';
import { table } from './lib/measure.mjs';

const { values: options, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean' }, rounds: { type: 'string' } },
});

const cases = [];
for (const file of readdirSync(join(import.meta.dirname, 'cases')).toSorted()) {
  cases.push(await import(join(import.meta.dirname, 'cases', file)));
}
const unknown = wanted.filter((name) => !cases.some((one) => one.name === name));
if (unknown.length > 0) {
  const known = cases.map(({ name }) => name).join(', ');
  console.error(`There is no benchmark ${unknown.join(', ')}; there are ${known}.`);
  process.exit(2);
}

const directory = mkdtempSync(join(process.env.BENCH_DIR ?? tmpdir(), 'storage-proxy-bench-'));
const context = {
  directory,
  load: buildLoad(directory),
  rounds: Number(options.rounds ?? (options.quick ? 1 : 5)),
  /** The share of the work that is done. */
  scale: options.quick ? 0.1 : 1,
  note: (text) => console.log(`  ${text}`),
};
const chosen = cases.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
try {
  for (const { name, title, run } of chosen) {
    console.log(`\n## ${title}\n`);
    const before = loadavg()[0];
    const text = table(await run(context));
    console.log(text);
    if (!options.quick) writeFileSync(resultFile(name), result(title, text, before));
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}

function resultFile(name) {
  return join(import.meta.dirname, 'results', `${name}.md`);
}

function result(title, text, loadBefore) {
  const gib = Math.round(totalmem() / 2 ** 30);
  return `# ${title}

${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} × ${cpus()[0].model.trim()}, ${gib} GiB,
Linux ${release()}, Node.js ${process.version}, ${context.rounds} rounds; load average before: ${loadBefore.toFixed(2)}.

${text}
`;
}
