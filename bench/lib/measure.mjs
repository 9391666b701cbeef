/**
 * One who takes part in a comparison. `measure` does the work once and returns `value` (in the row's unit), and
 * where they make sense `cpuSeconds` of the server, `bytes` moved, and `client`, the share of one CPU that the
 * load generator used.
 */

/**
 * Measures contenders in turn, round after round, so that whatever disturbs the machine disturbs all. The first
 * contender is ours; a first round of each is thrown away.
 */
export async function compare({
  work,
  unit,
  better = 'higher',
  rounds = 5,
  contenders,
  targets = {},
}) {
  const samples = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const { name, measure, server } of contenders) {
      server?.resetPeak();
      const cpu = server?.cpuSeconds() ?? 0;
      const sample = await measure(round);
      const cpuSeconds = server ? server.cpuSeconds() - cpu : sample.cpuSeconds;
      if (round > 0) samples.get(name).push({ cpuSeconds, peakMib: server?.peakMib(), ...sample });
    }
  }
  const [ours] = contenders;
  const base = median(samples.get(ours.name).map(({ value }) => value));
  return contenders.map(({ name }) => {
    const all = samples.get(name);
    const values = all.map(({ value }) => value);
    const isOurs = name === ours.name;
    const ratio = isOurs ? undefined : base / median(values);
    return {
      work,
      unit,
      name,
      median: median(values),
      min: Math.min(...values),
      max: Math.max(...values),
      ratio,
      verdict: verdict(ratio, targets[name], better),
      cpu: cpuFigure(all),
      peakMib: maximum(all.map((sample) => sample.peakMib)),
      client: maximum(all.map((sample) => sample.client)),
    };
  });
}

/** CPU milliseconds for one of something, where bytes make no sense; CPU seconds a GiB where they do. */
function cpuFigure(samples) {
  const known = samples.filter(({ cpuSeconds }) => cpuSeconds !== undefined);
  if (known.length === 0) return undefined;
  const perGib = known.every(({ bytes }) => bytes !== undefined);
  const figures = known.map(({ cpuSeconds, bytes, count = 1 }) =>
    perGib ? cpuSeconds / (bytes / 2 ** 30) : (cpuSeconds / count) * 1000,
  );
  return { value: median(figures), unit: perGib ? 's/GiB' : 'ms each' };
}

function verdict(ratio, target, better) {
  if (ratio === undefined || target === undefined) return '';
  const isMet = better === 'higher' ? ratio >= target : ratio <= target;
  return `${isMet ? 'met' : 'missed'} (${better === 'higher' ? '≥' : '≤'} ${target})`;
}

export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function maximum(values) {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

/** The rows as a Markdown table. */
export function table(rows) {
  const lines = [
    '| Work | Who | Median (min–max) | Ours ÷ theirs | Target | CPU | Peak memory | Client busy |',
    '| --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  let before = '';
  for (const row of rows) {
    const work = row.work === before ? '' : row.work;
    before = row.work;
    const cells = [
      work,
      row.name,
      `${figure(row.median)} (${figure(row.min)}–${figure(row.max)}) ${row.unit}`,
      row.ratio === undefined ? '' : row.ratio.toFixed(2),
      row.verdict,
      row.cpu === undefined ? '' : `${figure(row.cpu.value)} ${row.cpu.unit}`,
      row.peakMib === undefined ? '' : `${Math.round(row.peakMib)} MiB`,
      row.client === undefined ? '' : `${Math.round(row.client * 100)} %`,
    ];
    lines.push(`| ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}

function figure(value) {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toPrecision(2);
}
