/** A program of the toolkit that failed, or said what could not be understood. The message is one line for operators. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}
