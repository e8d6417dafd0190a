import { test } from "bun:test";
import { AT_ONCE_MS } from "../support/until";
import { tearDownCrowds } from "./support/crowd-gone";

test("10 000 streams reset at once are released at once, and the stream beside loses nothing (R-47)", async () => {
  await tearDownCrowds("crowd gone", ["reset"], AT_ONCE_MS);
});
