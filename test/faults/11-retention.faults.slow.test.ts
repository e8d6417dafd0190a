import { expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { kindOf, syncOnce } from "../../src/client";
import { Drill } from "./support/drill";
import { deletedUpTo, digGraveyard, newestIds, raiseTheDead, stopDeleting } from "./support/graveyard";
import { FaultNode } from "./support/node";
import { FaultPostgres } from "./support/postgres";
import { Reading } from "./support/reading";
import { scaled } from "./support/settings";
import { readAfresh, Subscriber } from "./support/subscriber";
import { urlOf, watchedTransport } from "./support/wire-watch";

const RETENTION_MS = 10_000;
/** How long a stream is paused, so that what it missed is deleted behind its cursor. */
const PAUSED_MS = 13_000;
/** A slow reader's pause after each frame: its wave lasts for many rounds of deleting. */
const SLOW_MS = 400;
const SLOW_WAVES = 3;

/** What a reader that was overtaken by retention got, and between which ids it had to get everything. */
interface Overtaken {
  readonly reading: Reading;
  /** Per kind: all that was deleted when it had read is up to here … */
  readonly above: readonly [bigint, bigint];
  /** … and everything there was when it began is up to here. */
  readonly upTo: readonly [bigint, bigint];
}

test("retention deletes under open cursors and running waves: all that is left comes once, in order (I1, I2, I3, I5)", async () => {
  await using postgres = await FaultPostgres.start();
  await using reader = await FaultNode.start({ databaseUrl: postgres.url });
  const admin = postgres.connect();
  await digGraveyard(admin);
  await using node = await FaultNode.start({
    databaseUrl: postgres.url,
    env: {
      TIDELINE_GROUP_RETENTION: `${RETENTION_MS / 1_000}s`,
      TIDELINE_WELCOME_RETENTION: `${RETENTION_MS / 1_000}s`,
      // Waves read the store, not the tail.
      TIDELINE_TAIL_ROWS: "1000",
      TIDELINE_TAIL_BYTES: "1MiB",
    },
  });
  await using drill = new Drill({ fault: 11, title: "retention" });
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  drill.subscribe(node, { topics });
  drill.subscribe(reader, { topics: topics.slice(2) });
  await drill.allConnected(1);
  for (const at of [node, node, reader]) drill.publish(at, { topics, perSecond: scaled(60), bytes: 4_096 });

  await drill.until(async () => (await deletedUpTo(admin))[0] > 0n, "messages to become too old");
  await using paused = new Subscriber({
    name: "paused",
    address: node.address,
    topics,
    ledger: drill.ledger,
    maxBufferedBytes: 65_536,
  });
  await drill.until(() => paused.connects > 0 && paused.reading.received > 0, "the paused stream to begin");
  paused.pause();
  const pausedAt = performance.now();
  const overtaken: Overtaken[] = [];
  for (let n = 0; n < SLOW_WAVES; n++) {
    const upTo = await newestIds(admin);
    const before = await deletedUpTo(admin);
    const reading = await readSlowly(node, topics, drill);
    const above = await deletedUpTo(admin);
    expect(above[0]).toBeGreaterThan(before[0]); // else nothing was deleted under the wave
    overtaken.push({ reading, above, upTo });
  }
  await systemClock.sleep(Math.max(0, PAUSED_MS - (performance.now() - pausedAt)));
  paused.resume();
  await drill.moreAcks(20);
  await stopDeleting(admin);
  await Promise.all(drill.publishers.map((publisher) => publisher.stop()));
  const upTo = await newestIds(admin);
  const above = await deletedUpTo(admin);
  const left = await readAfresh(node, topics, drill.ledger);
  await drill.until(() => !isBehind(paused.reading, left, drill), "the paused stream to have what is left");
  overtaken.push({ reading: paused.reading, above, upTo });
  await paused[Symbol.asyncDispose]();

  const raised = await raiseTheDead(admin);
  await admin.end();
  const stored = await readAfresh(reader, topics, drill.ledger);
  const faults = overtaken.flatMap((one) => faultsOf(one, stored, drill));
  expect(faults).toEqual([]);
  const missed = stored.received - paused.reading.received;
  expect(missed).toBeGreaterThan(0); // else the paused stream's cursor was never below what is gone
  await drill.finish({
    readAt: reader,
    figures: { deleted: raised, slowWaves: SLOW_WAVES, missedWhilePaused: missed },
  });
}, 180_000);

/** A bounded sync from 0 whose reader takes its time. */
async function readSlowly(node: FaultNode, topics: ReturnType<Drill["topics"]>, { ledger }: Drill): Promise<Reading> {
  const reading = new Reading("a slow wave", topics, ledger);
  await using stream = syncOnce({
    address: urlOf(node),
    topics: topics.map((topic) => ({ topic, cursor: 0n })),
    transport: watchedTransport(node, (words) => reading.fault(words)),
    maxBufferedBytes: 65_536,
  });
  for await (const event of stream) {
    if (event.kind !== "messages") continue;
    reading.take(event.lane, event.messages);
    await systemClock.sleep(SLOW_MS);
  }
  return reading;
}

/** Whether something that is left in the store has not been read. */
function isBehind(reading: Reading, left: Reading, { ledger }: Drill): boolean {
  for (let n = 0; n < ledger.length; n++) if (left.idOf(n) !== 0 && reading.idOf(n) === 0) return true;
  return false;
}

/** In what an overtaken reader differs from what it had to get, and from what was ever stored. */
function faultsOf({ reading, above, upTo }: Overtaken, stored: Reading, { ledger }: Drill): readonly string[] {
  const faults = [...reading.faults];
  for (let n = 0; n < ledger.length; n++) {
    const topic = ledger.topicOf(n);
    const id = BigInt(stored.idOf(n));
    const got = BigInt(reading.idOf(n));
    if (topic === undefined || got === id) continue;
    const kind = kindOf(topic);
    if (got !== 0n) faults.push(`${reading.name}: message ${n} came as id ${got}, and is stored as ${id}`);
    else if (id > above[kind] && id <= upTo[kind]) faults.push(`${reading.name}: id ${id} of kind ${kind} is missing`);
  }
  return faults;
}
