import {
  Counter,
  Histogram,
  type LabelValues,
  type MetricObjectWithValues,
  type MetricValueWithName,
} from 'prom-client';
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

/** The durations of requests with the same labels. */
class Series {
  /** How many were in each bucket but not in the one before; the last is for what exceeds all. */
  readonly #counts = [...DURATION.buckets, Infinity].map(() => 0);
  #sum = 0;

  constructor(private readonly labels: Labels) {}

  observe(seconds: number): void {
    const bucket = DURATION.buckets.findIndex((bound) => seconds <= bound);
    this.#counts[bucket === -1 ? DURATION.buckets.length : bucket]! += 1;
    this.#sum += seconds;
  }

  /** As prom-client has them. */
  values(): MetricValueWithName<string>[] {
    const { name, buckets } = DURATION;
    let count = 0;
    const upTo = this.#counts.map((inBucket, index) => {
      count += inBucket;
      const labels = { le: buckets[index] ?? '+Inf', ...this.labels };
      return { metricName: `${name}_bucket`, labels, value: count };
    });
    const { labels } = this;
    return [
      ...upTo,
      { metricName: `${name}_sum`, labels, value: this.#sum },
      { metricName: `${name}_count`, labels, value: count },
    ];
  }
}

/**
 * The durations of requests: series found by one look into a map, and counted by adding two numbers. prom-client's
 * histogram checks, sorts and joins six labels for every observation, a tenth of the time of a small request.
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
      series = new Series({ method, endpoint, domain, operation, error_detail, status_code });
      this.#series.set(key, series);
    }
    series.observe(seconds);
  }

  /** As prom-client's own histogram with these labels. */
  async get(): Promise<MetricObjectWithValues<MetricValueWithName<string>>> {
    const empty = await new Histogram({ ...DURATION, registers: [] }).get();
    return { ...empty, values: [...this.#series.values()].flatMap((series) => series.values()) };
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
