import { test } from "bun:test";
import { tearDownCrowds } from "./support/crowd-gone";

const CROWDS = 12;
/** R-47, in milliseconds. */
const RELEASE_MS = 1_000;

test("crowds of 10 000 streams that go one after the other leave no memory behind, and each is released within a second (R-47)", async () => {
  const how = Array.from({ length: CROWDS }, (_, n) => (n % 3 === 2 ? "kill" : "reset"));
  await tearDownCrowds("crowds gone", how, RELEASE_MS);
}, 300_000);
