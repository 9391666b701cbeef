import { Counter, Histogram, type LabelValues } from 'prom-client';
import { registry } from './metrics.js';

const LABELS = [
  'method',
  'endpoint',
  'domain',
  'operation',
  'error_detail',
  'status_code',
] as const;
type Labels = LabelValues<(typeof LABELS)[number]>;

const DURATION = {
  name: 'backendai_api_request_duration_sec',
  help: 'Seconds from the request line to the end of the answer',
  buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 300, 3600],
};

export interface RequestObservation {
  readonly method: string;
  /** The route's template (`/jobs/:id`), never the path asked for: its number of values must stay small. */
  readonly endpoint: string;
  readonly statusCode: number;
  /** `<domain>_<operation>_<detail>` of an error answer. */
  readonly errorCode?: string | undefined;
  readonly seconds: number;
}

interface Series {
  readonly labels: Labels;
  readonly durations: Histogram;
}

/**
 * The durations of requests: a histogram without labels for each combination of them, found by one look into a map.
 * prom-client checks, sorts and joins six labels for every observation, a tenth of the time of a small request.
 * The labels are put on when somebody asks.
 */
class RequestDurations {
  readonly name = DURATION.name;
  readonly #series = new Map<string, Series>();

  observe({ method, endpoint, statusCode, errorCode = '', seconds }: RequestObservation): void {
    const key = `${method} ${endpoint} ${statusCode} ${errorCode}`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const [domain = '', operation = '', error_detail = ''] = errorCode.split('_');
      const status_code = String(statusCode);
      series = {
        labels: { method, endpoint, domain, operation, error_detail, status_code },
        durations: new Histogram({ ...DURATION, registers: [] }),
      };
      this.#series.set(key, series);
    }
    series.durations.observe(seconds);
  }

  /** As prom-client's own histogram with these labels. */
  async get(): Promise<Awaited<ReturnType<Histogram<keyof Labels>['get']>>> {
    const families = await Promise.all([...this.#series.values()].map(labelled));
    const empty = await new Histogram({ ...DURATION, registers: [] }).get();
    return { ...empty, values: families.flat() };
  }

  reset(): void {
    this.#series.clear();
  }

  /** How many requests there were, by labels. */
  async counts(): Promise<readonly { readonly labels: Labels; readonly count: number }[]> {
    const { values } = await this.get();
    return values
      .filter(({ metricName }) => metricName === `${DURATION.name}_count`)
      .map(({ labels, value }) => ({ labels, count: value }));
  }
}

async function labelled({ labels, durations }: Series) {
  const { values } = await durations.get();
  return values.map((value) => ({ ...value, labels: { ...value.labels, ...labels } }));
}

const durations = new RequestDurations();
const requests = new Counter({
  name: 'backendai_api_request_count_total',
  help: 'Requests answered',
  labelNames: LABELS,
  registers: [],
  async collect() {
    const counts = await durations.counts();
    this.reset();
    for (const { labels, count } of counts) this.inc(labels, count);
  },
});
registry.registerMetric(requests);
// Of a metric the registry needs the name, `get` and `reset`, and its type names the four classes that it knows.
registry.registerMetric(durations as unknown as Histogram);

export function observeRequest(request: RequestObservation): void {
  durations.observe(request);
}
