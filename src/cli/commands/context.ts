/** What commands take from the process that runs them. */
export interface CommandContext {
  /** As it was at the start. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** One line for the operator on standard output. */
  readonly print: (line: string) => void;
  /** One line about what went wrong, on standard error. */
  readonly complain: (line: string) => void;
}

/** What the options have in common. */
export interface ConfigArguments {
  readonly config?: string | undefined;
}
