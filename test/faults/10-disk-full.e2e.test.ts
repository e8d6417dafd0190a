import { expect } from "bun:test";
import { askToStore } from "./support/ask-to-store";
import { Drill } from "./support/drill";
import { NO_SPACE, pingsGoOn, pingsOf, startOnSmallDisk, testOnSmallDisk } from "./support/full-disk";
import { scaled } from "./support/settings";
import { SmallDisk } from "./support/small-disk";

testOnSmallDisk(
  "a full disk: publishers are told, streams and reads live on, and all goes on once there is space",
  async () => {
    await using node = await startOnSmallDisk();
    await using drill = new Drill({ fault: 10, title: "disk full" });
    const topics = drill.topics({ groups: 4, welcomes: 1 });
    const stream = drill.subscribe(node, { topics });
    const publisher = drill.publish(node, { topics, perSecond: scaled(200), bytes: 4_096 });
    await drill.allConnected(1);
    await drill.moreAcks(20);
    const disk = new SmallDisk(node);
    const { pid } = node;

    disk.fill();
    const pings = await pingsOf(node);
    const asking = askToStore(node);
    await drill.until(() => publisher.failures.size > 0, "a publisher to be refused");
    const words = await asking;
    await pingsGoOn(drill, node, pings);
    // A wave over everything that was stored: its account is made at the end.
    const late = drill.subscribe(node, { topics, name: "a stream that comes while the disk is full" });
    await drill.until(() => late.reading.received >= stream.reading.received, "it to catch up");
    const { status } = await node.readiness();

    disk.empty();
    await drill.moreAcks(20);
    expect(words).toMatch(/^unavailable: /);
    expect(words).toMatch(NO_SPACE);
    expect([...publisher.failures.keys()]).toEqual(["unavailable"]);
    expect(status).toBe(200);
    expect([stream.connects, late.connects, node.pid]).toEqual([1, 1, pid]);
    const refusedMs = Math.round(publisher.slowestFailureMs);
    await drill.finish({ readAt: node, figures: { refusedMs } });
  },
);
