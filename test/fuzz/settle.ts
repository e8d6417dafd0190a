import { violate } from "../../src/conformance/checker/violation";
import type { Prng } from "../support/prng";
import type { Driver } from "./driver";

/** More rounds of answering replays than any run can need. */
const MAX_ROUNDS = 2_000;

/** Answers everything that is asked until nothing moves, half-closes, and holds the stream to its end (R-46, I12). */
export function settle(driver: Driver, maxPageRows: number, random: Prng): void {
  rest(driver, maxPageRows, random);
  if (driver.deadline !== undefined) {
    driver.passTo(driver.deadline);
    driver.wake();
    rest(driver, maxPageRows, random);
  }
  if (driver.over === undefined && !driver.checker.halfClosed) driver.send({ kind: "halfClosed" });
  driver.drain();
  if (driver.over === undefined) violate("R-46", "half-closed and drained, but the stream is not over");
  driver.append(driver.world.unseen);
  driver.send({ kind: "pong", nonce: 1n });
  driver.send({ kind: "wake" });
  driver.drain();
  if (driver.deadline !== undefined) violate("I12", "a deadline after the end");
}

/** Lets everything happen that can happen by itself. */
function rest(driver: Driver, maxPageRows: number, random: Prng): void {
  const { replays } = driver.world;
  for (let round = 0; round < MAX_ROUNDS && driver.over === undefined; round++) {
    driver.flush();
    driver.drain();
    if (driver.liveness.asked !== undefined) driver.send({ kind: "pong", nonce: driver.liveness.asked });
    driver.append(driver.world.unseen);
    for (const replay of replays.looking) driver.looked(replay);
    for (const replay of replays.reading) {
      driver.send(replays.page(replay, maxPageRows, random));
      driver.drain();
    }
    driver.drain();
    if (replays.looking.length + replays.reading.length === 0) break;
  }
  if (driver.over === undefined && replays.busy)
    violate("I8", "a replay is open, but its next page is never asked for");
}
