import { Counter, Gauge, type Registry } from "prom-client";
import { PlainHistogram } from "./plain-histogram";

/** A number that only grows. */
export interface Count {
  add(by?: number): void;
  /** For what is counted elsewhere: the total so far. */
  to(total: number): void;
}

/** A number per label that only grows. */
export interface CountBy {
  add(label: string, by?: number): void;
  /** For what is counted elsewhere: the label's total so far. */
  to(label: string, total: number): void;
}

/** A number that goes up and down. */
export interface Level {
  add(by: number): void;
  set(value: number): void;
}

/** How values are distributed. */
export interface Spread {
  observe(value: number): void;
}

/** Makes metrics of one registry, each under its name with the project's prefix. */
export class Maker {
  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  count(name: string, help: string): Count {
    let total = 0;
    const registers = [this.#registry];
    new Counter({
      name: `tideline_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(total);
      },
    });
    return {
      add: (by = 1) => {
        total += by;
      },
      to: (now) => {
        total = now;
      },
    };
  }

  countBy(name: string, help: string, label: string): CountBy {
    const totals = new Map<string, number>();
    const registers = [this.#registry];
    new Counter({
      name: `tideline_${name}`,
      help,
      registers,
      labelNames: [label],
      collect() {
        this.reset();
        for (const [value, total] of totals) this.inc({ [label]: value }, total);
      },
    });
    return {
      add: (value, by = 1) => {
        totals.set(value, (totals.get(value) ?? 0) + by);
      },
      to: (value, total) => {
        totals.set(value, total);
      },
    };
  }

  /** @param across how the values of several processes become one. */
  level(name: string, help: string, across: "sum" | "min" | "max" = "sum"): Level {
    let value = 0;
    const registers = [this.#registry];
    new Gauge({
      name: `tideline_${name}`,
      help,
      registers,
      aggregator: across,
      collect() {
        this.set(value);
      },
    });
    return {
      add: (by) => {
        value += by;
      },
      set: (to) => {
        value = to;
      },
    };
  }

  spread(name: string, help: string, buckets: readonly number[]): Spread {
    const histogram = new PlainHistogram({ name: `tideline_${name}`, help, buckets: [...buckets], registers: [] });
    this.#registry.registerMetric(histogram);
    return { observe: (value) => histogram.add(value) };
  }
}
