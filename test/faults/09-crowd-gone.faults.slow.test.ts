import { test } from "bun:test";
import { tearDownCrowds } from "./support/crowd-gone";

const CROWDS = 12;

test("crowds of 10 000 streams that go one after the other leave no memory behind", async () => {
  const how = Array.from({ length: CROWDS }, (_, n) => (n % 3 === 2 ? "kill" : "reset"));
  await tearDownCrowds("crowds gone", how);
}, 300_000);
