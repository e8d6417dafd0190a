import { expect, test } from "bun:test";
import { Histogram, Registry } from "prom-client";
import { PlainHistogram } from "../../src/base/plain-histogram";

const BUCKETS = [0.5, 1, 10];
const VALUES = [0, 0.25, 0.5, 0.500001, 1, 7, 10, 10.5, 1e9];

test("a plain histogram writes what Prometheus's own writes, empty and with values", async () => {
  const [ours, theirs] = [new Registry(), new Registry()];
  const config = { name: "spread", help: "How values are spread.", buckets: BUCKETS };
  const plain = new PlainHistogram({ ...config, registers: [] });
  ours.registerMetric(plain);
  const own = new Histogram({ ...config, registers: [theirs] });
  expect(await ours.metrics()).toBe(await theirs.metrics());
  for (const value of VALUES) {
    plain.add(value);
    own.observe(value);
  }
  expect(await ours.metrics()).toBe(await theirs.metrics());
  expect(await ours.metrics()).toContain('spread_bucket{le="1"} 5\n');
});
