/** Where a worker stands in its life, as readiness sees it. */
export class ServingState {
  #phase: 'starting' | 'serving' | 'draining' = 'starting';

  get phase(): 'starting' | 'serving' | 'draining' {
    return this.#phase;
  }

  /** All listeners take connections. */
  serving(): void {
    if (this.#phase === 'starting') this.#phase = 'serving';
  }

  /** The end has begun: whoever balances load should send no more. */
  draining(): void {
    this.#phase = 'draining';
  }
}
