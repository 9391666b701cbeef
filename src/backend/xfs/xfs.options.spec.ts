import { validateSection } from '../../grammar/section/validate-section.js';
import { XfsOptions } from './xfs.options.js';

describe('options of an xfs volume', () => {
  const problemsOf = (table: Record<string, unknown>): readonly string[] =>
    validateSection(XfsOptions, table, ['volume', 'v', 'options']).problems;

  it.each([{}, { 'project-id-min': 5, 'project-id-max': 5 }, { 'project-id-max': 4294967294 }])(
    'take %j',
    (table) => expect(problemsOf(table)).toEqual([]),
  );

  it.each([
    [{ 'project-id-min': 10, 'project-id-max': 9 }, '= 9'],
    [{ 'project-id-min': 3_000_000_000 }, ''],
    [{ 'project-id-max': 99 }, '= 99'],
  ])('refuse a range that ends before it begins: %j', (table, found) => {
    const [problem, ...others] = problemsOf(table);
    expect(problem).toContain(`volume.v.options.project-id-max ${found}`.trim());
    expect(problem).toContain('must not be below project-id-min');
    expect(others).toEqual([]);
  });
});
