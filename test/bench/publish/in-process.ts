/**
 * Callers that publish one message a call into a store and a feed of this very process: a node without its
 * sockets, wired as in src/cli/node.ts.
 */

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { systemClock as clock } from "../../../src/base/clock";
import { silentLogger as log } from "../../../src/base/log";
import { GROUP, topicOf } from "../../../src/core/topic";
import { createFeed } from "../../../src/feed/feed";
import { startListener } from "../../../src/store/listener";
import { openStore } from "../../../src/store/store";
import { parseTarget } from "../../../src/store/target";
import { encodeEntry, encodeGroupBody } from "../../../src/wire/entry";
import { runCallers } from "../support/callers";
import { meterTargets } from "../support/meter";
import { mlsMessage, Numbered } from "../support/protobuf";

const { values } = parseArgs({
  options: {
    databaseUrl: { type: "string", default: "" },
    postmaster: { type: "string", default: "" },
    callers: { type: "string", default: "64" },
    bytes: { type: "string", default: "1024" },
    warmupCalls: { type: "string", default: "20000" },
    seconds: { type: "string", default: "3" },
  },
});

const target = parseTarget(values.databaseUrl);
await using store = await openStore({ target, clock, log });
await using feed = createFeed({
  reader: store.reader,
  openAppender: (onCommitted) => store.appender({ onCommitted }),
  encode: encodeEntry,
  clock,
  log,
});
await feed.start();
await using _listener = await startListener(
  target,
  {
    onNotify: (newest) => feed.notified(newest),
    onListen: () => feed.lookAgain(),
    onHealth: (listening) => feed.setListening(listening),
  },
  { clock, log },
);

const groups = Array.from({ length: Number(values.callers) }, () => {
  const groupId = crypto.getRandomValues(new Uint8Array(16));
  const messages = new Numbered((head) => mlsMessage(groupId, head, Number(values.bytes)));
  return { groupId, topic: topicOf(GROUP, groupId), messages };
});
const calls = await runCallers(
  {
    callers: groups.length,
    warmupCalls: Number(values.warmupCalls),
    measureMs: Number(values.seconds) * 1_000,
    meter: meterTargets({ ...values, pid: `${process.pid}` }),
  },
  async (caller) => {
    const group = groups[caller];
    if (group === undefined) return;
    const data = group.messages.next();
    const digest = createHash("sha256").update(data).digest();
    const body = encodeGroupBody({
      groupId: group.groupId,
      data,
      senderHmac: new Uint8Array(0),
      shouldPush: false,
      isCommit: false,
    });
    await feed.publish([{ kind: GROUP, topic: group.topic, digest, ...body }]);
  },
);
console.log(JSON.stringify(calls));
process.exit(0);
