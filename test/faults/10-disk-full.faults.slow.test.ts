import { expect, test } from "bun:test";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { connectTo } from "./support/postgres";
import { scaled } from "./support/settings";
import { noSmallDisk, onSmallDisk, SmallDisk } from "./support/small-disk";

const DISK_MIB = 160;
const KEEPALIVE_MS = 1_000;
const NO_SPACE = /No space left on device/;

const reason = noSmallDisk();
const whereDisksAreSmall = test.skipIf(reason !== undefined);
if (reason !== undefined) test.skip(`a full disk: ${reason}`, () => {});

const program = onSmallDisk(DISK_MIB, [process.execPath, "src/main.ts"]);
const env = { TIDELINE_KEEPALIVE_MS: `${KEEPALIVE_MS}` };

/** Makes the database want another segment of its log, again and again, until it dies of it. */
async function useUpLog({ target }: SmallDisk): Promise<void> {
  const admin = connectTo(target);
  try {
    for (let segment = 0; segment < 20; segment++) {
      await admin`SELECT pg_switch_wal()`;
      await admin`SELECT pg_logical_emit_message(false, 'drill', repeat('x', 100000))`;
    }
  } catch {
    return; // its connection went with it
  } finally {
    await admin.end({ timeout: 0 });
  }
  throw new Error("the database found space for more of its log");
}

whereDisksAreSmall(
  "no space for the log of the database: it dies and dies again, streams live on, and it comes back by itself",
  async () => {
    await using node = await FaultNode.start({ env, program });
    await using drill = new Drill({ fault: 10, title: "disk full, database down" });
    const topics = drill.topics({ groups: 4 });
    const stream = drill.subscribe(node, { topics });
    const publisher = drill.publish(node, { topics, perSecond: scaled(200), bytes: 1_024 });
    await drill.allConnected(1);
    await drill.moreAcks(20);
    const disk = new SmallDisk(node);
    const died = () => node.troubles.filter(({ event }) => event === "the embedded database does not start");

    disk.fill();
    await useUpLog(disk);
    await drill.until(() => died().length > 2, "the database to be down");
    await drill.until(() => publisher.failures.size > 0, "a publisher to be refused");
    const pings = await node.metric("tideline_pings_total");
    await drill.until(async () => (await node.metric("tideline_pings_total")) >= pings + 2, "Pings to go on");
    const words = `${died().at(-1)?.["detail"]}`;

    disk.empty();
    const fromMs = performance.now();
    await drill.moreAcks(20);
    const backMs = Math.round(performance.now() - fromMs);
    expect([...publisher.failures.keys()]).toEqual(["unavailable"]);
    expect(stream.connects).toBe(1);
    expect(words).toMatch(NO_SPACE);
    await drill.finish({ readAt: node, figures: { backMs, starts: died().length } });
  },
  120_000,
);
