import { expect, test } from "bun:test";
import { tearDownCrowds } from "./support/crowd-gone";

/** What the engine may keep of a crowd, in MiB, from the third on: a leak of 1 KiB a stream would be 10 a round. */
const MORE_RSS_MIB = 96;

test("crowds of 10 000 streams that go one after the other leave no memory behind", async () => {
  const how = Array.from({ length: 12 }, (_, n) => (n % 3 === 2 ? "kill" : "reset"));
  const rounds = await tearDownCrowds("crowds gone", how);
  const rss = rounds.map(({ rssMiB }) => rssMiB);
  expect(Math.min(...rss.slice(-3)) - Math.min(...rss.slice(2, 5))).toBeLessThan(MORE_RSS_MIB);
}, 300_000);
