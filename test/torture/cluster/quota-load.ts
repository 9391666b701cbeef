import { newScope } from '../../support/ids.js';
import { untilAnswered } from '../crash/until-answered.js';
import type { Random } from '../random.js';
import { jsonOf, type Wire } from '../wire.js';

const SMALLEST = 2 ** 20;
const LARGEST = 2 ** 30;
/** A balancer that takes turns asks everybody. */
const READS = 2;

/** Changes the limit of a quota scope again and again; whoever is asked afterwards tells the new one. */
export class QuotaLoad {
  changes = 0;
  readonly violations: string[] = [];
  readonly #scope: { readonly volume: string; readonly qsid: string };

  constructor(
    volume: string,
    private readonly wire: Wire,
    private readonly random: Random,
  ) {
    this.#scope = { volume, qsid: newScope() };
  }

  async run(goesOn: () => boolean): Promise<void> {
    while (goesOn()) {
      const limit = this.random.between(SMALLEST, LARGEST);
      const change = { ...this.#scope, options: { limit_bytes: limit } };
      await untilAnswered(204, () => this.wire.manager('PATCH', '/quota-scope', change));
      this.changes++;
      for (let read = 0; read < READS; read++) {
        const told = await untilAnswered(200, () =>
          this.wire.manager('GET', '/quota-scope', this.#scope),
        );
        const { limit_bytes: found } = jsonOf(told);
        if (found !== limit)
          this.violations.push(`a limit of ${limit} is told as ${String(found)}`);
      }
    }
  }
}
