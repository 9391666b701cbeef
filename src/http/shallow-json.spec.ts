import { parseShallowJson } from './shallow-json.js';

function nested(levels: number): string {
  return '['.repeat(levels) + ']'.repeat(levels);
}

it('parses what is shallow', () => {
  expect(parseShallowJson('{"a":[1,{"b":null}]}')).toEqual({ a: [1, { b: null }] });
  expect(() => parseShallowJson(nested(100))).not.toThrow();
});

it('refuses what nests too deeply', () => {
  expect(() => parseShallowJson(nested(101))).toThrow(SyntaxError);
  expect(() => parseShallowJson(nested(100_000))).toThrow(SyntaxError);
  expect(() => parseShallowJson('{"a":'.repeat(101) + '1' + '}'.repeat(101))).toThrow(SyntaxError);
});

it('counts open levels only, and none within strings', () => {
  expect(() => parseShallowJson(`[${'[],'.repeat(1000)}[]]`)).not.toThrow();
  const text = String.raw`\"[{\\`.repeat(1000);
  expect(() => parseShallowJson(`["${text}", "[${'['.repeat(1000)}"]`)).not.toThrow();
});

it('takes a string of a megabyte', () => {
  const text = 'x\\n'.repeat(500_000);
  expect(parseShallowJson(JSON.stringify(text))).toBe(text);
});
