import { expect } from "bun:test";
import { Drill } from "./support/drill";
import { NO_SPACE, pingsGoOn, pingsOf, startOnSmallDisk, testOnSmallDisk } from "./support/full-disk";
import { connectTo } from "./support/postgres";
import { scaled } from "./support/settings";
import { SmallDisk } from "./support/small-disk";

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

testOnSmallDisk(
  "no space for the log of the database: it dies and dies again, streams live on, and it comes back by itself",
  async () => {
    await using node = await startOnSmallDisk();
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
    const pings = await pingsOf(node);
    await pingsGoOn(drill, node, pings);
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
);
