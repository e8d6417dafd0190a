import { Histogram } from "prom-client";

/** A value as the registry writes it. */
interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Those of a histogram as a whole; ours has none. */
  readonly sharedLabels: Readonly<Record<string, never>>;
  readonly value: number;
}

/**
 * A histogram without labels, for what is observed with every call: Prometheus's own looks up its only set of labels
 * by a hash each time, and two of them were a tenth of what publishing a message cost.
 */
export class PlainHistogram extends Histogram {
  readonly #about: { readonly name: string; readonly help: string };
  /** Ascending. */
  readonly #bounds: readonly number[];
  /** Values per bucket: up to its bound and above the one before; the last has no bound. */
  readonly #counts: number[];
  #sum = 0;

  constructor(config: { name: string; help: string; buckets: number[]; registers: [] }) {
    super(config);
    const { name, help, buckets } = config;
    this.#about = { name, help };
    this.#bounds = [...buckets];
    this.#counts = new Array(buckets.length + 1).fill(0);
  }

  /** Counts a value. */
  add(value: number): void {
    let at = 0;
    while (value > (this.#bounds[at] ?? Number.POSITIVE_INFINITY)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#sum += value;
  }

  /** What a registry asks of a histogram, though prom-client's types do not say so: each bucket with those below it. */
  async getForPromString() {
    const { name } = this.#about;
    let count = 0;
    const values: Sample[] = this.#counts.map((found, at) => {
      count += found;
      return {
        metricName: `${name}_bucket`,
        sharedLabels: {},
        labels: { le: this.#bounds[at] ?? "+Inf" },
        value: count,
      };
    });
    values.push({ metricName: `${name}_sum`, sharedLabels: {}, labels: {}, value: this.#sum });
    values.push({ metricName: `${name}_count`, sharedLabels: {}, labels: {}, value: count });
    return { ...this.#about, type: "histogram", aggregator: "sum", values };
  }
}
