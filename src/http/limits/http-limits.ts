/** What one listener of one worker bears; times in milliseconds. */
export interface HttpLimits {
  /** Open connections. With one more, the one that has been idle longest is closed. */
  readonly connections: number;
  /** Request line and headers together. */
  readonly headerBytes: number;
  /** From the first moment of a connection, or the first byte of a further request, to the end of the headers. */
  readonly headerTimeoutMs: number;
  /** How long a connection may be idle between two requests. */
  readonly keepAliveMs: number;
  readonly jsonBodyBytes: number;
  /** From the headers to the end of a JSON body. Bodies of uploads have a limit of their own. */
  readonly jsonBodyTimeoutMs: number;
}

/** What the configuration has as defaults; `limits.section.ts` gives the reasons. */
export const DEFAULT_HTTP_LIMITS: HttpLimits = {
  connections: 8192,
  headerBytes: 32 * 1024,
  headerTimeoutMs: 30_000,
  keepAliveMs: 75_000,
  jsonBodyBytes: 1024 * 1024,
  jsonBodyTimeoutMs: 30_000,
};
