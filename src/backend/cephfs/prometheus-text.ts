/** One sample of the text format of Prometheus (prometheus.io, "Exposition formats"). */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/g;

/** The samples of the named metrics; lines that cannot be read are passed over. */
export function parseSamples(text: string, names: ReadonlySet<string>): Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = LINE.exec(line) ?? [];
    if (name === undefined || !names.has(name)) return [];
    const number = Number(value);
    return Number.isFinite(number) ? [{ name, labels: parseLabels(labels), value: number }] : [];
  });
}

function parseLabels(text: string): Record<string, string> {
  const pairs = [...text.matchAll(LABEL)].map(([, name, value]) => [name!, unescape(value!)]);
  return Object.fromEntries(pairs) as Record<string, string>;
}

function unescape(text: string): string {
  return text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
}
