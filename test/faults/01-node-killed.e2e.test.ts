import { expect, test } from "bun:test";
import { Drill } from "./support/drill";
import { FaultNode } from "./support/node";
import { scaled } from "./support/settings";

const KILLS = 2;
/** Acked requests between two kills. */
const ACKS = scaled(60);

test("kill -9 of a node under load: nothing acked is lost, and streams resume from their cursors (I1, I2, I3)", async () => {
  await using node = await FaultNode.start();
  await using drill = new Drill({ fault: 1, title: "node killed" });
  const topics = drill.topics({ groups: 6, welcomes: 2 });
  drill.subscribe(node, { topics });
  drill.subscribe(node, { topics: topics.slice(0, 3) });
  const restarted = drill.subscribe(node, { topics: topics.slice(4) });
  for (let n = 0; n < 3; n++) drill.publish(node, { topics, perSecond: scaled(300) });

  for (let kill = 0; kill < KILLS; kill++) {
    await drill.allConnected(kill + 1);
    await drill.moreAcks(ACKS);
    await node.kill();
    await node.startAgain();
  }
  await drill.allConnected(KILLS + 1);
  drill.subscribe(node, { topics, name: "a stream that comes late" });
  await restarted.reopen();
  await drill.moreAcks(ACKS);

  const failures = drill.publishers.reduce((sum, { failures }) => sum + failures.size, 0);
  expect(failures).toBeGreaterThan(0); // else the kills hit nothing
  await drill.finish({ readAt: node, figures: { kills: KILLS } });
});
