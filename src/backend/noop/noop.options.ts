/** A noop volume has no options. */
export class NoopOptions {}
