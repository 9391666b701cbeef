import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_TABLE } from '../errors/error-code.js';
import { allProblemRows } from './problem-table.js';

const PATH = join(__dirname, '../../docs/errors.md');

/** The cells of every table row between a heading and the next one, without the table's header. */
function tableUnder(heading: string): string[][] {
  const text = readFileSync(PATH, 'utf8');
  const section = text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

const codes = Object.entries(ERROR_TABLE).map(([code, { meaning, recovery }]) => [
  `\`${code}\``,
  meaning,
  recovery,
]);
const answers = [...allProblemRows()].map(([scope, key, row]) => [
  `\`${key}\``,
  scope === 'any' ? 'everywhere' : `\`${scope}\``,
  String(row.status),
  `\`${row.errorCode}\``,
  row.title,
  row.shape,
]);

describe('docs/errors.md', () => {
  it('lists every code, and only those', () => {
    expect(tableUnder('Codes')).toEqual(codes);
  });

  it('lists every answer as it is given, and only those', () => {
    expect(tableUnder('Answers')).toEqual(answers);
  });
});
