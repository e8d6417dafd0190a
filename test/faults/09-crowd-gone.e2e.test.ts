import { test } from "bun:test";
import { tearDownCrowds } from "./support/crowd-gone";

test("10 000 streams reset at once are released within a second, and the stream beside loses nothing (R-47)", async () => {
  await tearDownCrowds("crowd gone", ["reset"]);
}, 60_000);
