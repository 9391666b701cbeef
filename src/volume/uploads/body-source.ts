/** How a source of bytes came to its end: all of them have come, or the connection ended before. */
export type SourceEnd = 'complete' | 'broken';

/** Takes the bytes of a body as they come. */
export interface BodySink {
  /** The memory stays as it is until `release` gives it back. */
  chunk(bytes: Buffer): void;
  /** Nothing more comes. Called once. */
  end(how: SourceEnd): void;
}

/** The body of a request, wherever its bytes come from. It rests until somebody opens it. */
export interface BodySource {
  /** As many bytes as one write is worth waiting for. */
  readonly batchBytes: number;
  /** Nothing comes for now: paused, or out of memory until something is released. */
  readonly isPaused: boolean;
  /** Whether all bytes have come from the client, given to a sink or not. */
  readonly isComplete: boolean;
  /** Whether nothing can come any more. */
  readonly isDestroyed: boolean;
  /** Gives `sink` what comes from now on. One after the other may be open. */
  open(sink: BodySink): void;
  /** The sink hears no more; the rest waits for the next one. */
  close(): void;
  pause(): void;
  resume(): void;
  /** The oldest `bytes` bytes that the sinks were given are needed no more. */
  release(bytes: number): void;
  /** Ends the connection. */
  destroy(): void;
}
