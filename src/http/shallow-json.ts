/** Far more than any parameter has, and far less than exhausts the stack of what walks over the value. */
const MAX_DEPTH = 100;

/** What changes the depth; a string is taken whole, so that brackets in it do not count. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[[{]|[\]}]/gs;

/**
 * Parses JSON from a request. Validation walks recursively over what comes out: text that nests deeper
 * than 100 levels is refused before it can exhaust the stack there.
 *
 * @throws SyntaxError for text that is no JSON, or nests too deeply
 */
export function parseShallowJson(text: string): unknown {
  const value = JSON.parse(text) as unknown;
  let depth = 0;
  for (const [token] of text.matchAll(TOKENS)) {
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    if (depth > MAX_DEPTH) throw new SyntaxError(`JSON nests deeper than ${MAX_DEPTH} levels`);
  }
  return value;
}
