/**
 * A text does not follow its grammar. The message is a clause that fits behind the name of whatever
 * holds the text ("must be …", "expected …") and never quotes the text itself: it may be a secret.
 */
export class GrammarError extends Error {
  override readonly name = 'GrammarError';
}
