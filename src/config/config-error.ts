/** The configuration cannot be used. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    /** One line for each, ready to be printed. */
    readonly problems: readonly string[],
    /** What would have been worth a warning besides. */
    readonly warnings: readonly string[] = [],
  ) {
    super(problems.join('\n'));
  }
}
