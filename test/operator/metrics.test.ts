import { expect, test } from "bun:test";
import { createMetrics } from "../../src/base/metrics";
import { Counters, type SessionAccount } from "../../src/core/session/account";
import { watchFeed } from "../../src/operator/feed-metrics";
import { StreamCounts } from "../../src/serve/stream/counts";
import { type RegisteredStream, StreamRegistry } from "../../src/serve/stream/host";

function account(counted: Partial<SessionAccount>): SessionAccount {
  const now = { topics: 0, waves: 0, dueOffsets: 0, heldOffsets: 0, rowsInHand: 0, lagOffsets: 0 };
  return { ...new Counters(), ...now, ...counted };
}

function stream(counted: Partial<SessionAccount>): RegisteredStream {
  return { rpc: "Subscribe", protocol: "grpc", openedAt: 0, account: account(counted), shutdown: () => {} };
}

test("every metric has a name of ours and a help text, and each process has its own", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.serve.streamsEnded.add("finished");
  const text = await one.render();
  expect(text).toContain('tideline_streams_ended_total{reason="finished"} 1');
  expect(await other.render()).not.toContain('{reason="finished"}');
  const names = [...text.matchAll(/^# HELP (\S+) (.+)$/gm)];
  expect(names.length).toBeGreaterThan(20);
  for (const [, name, help] of names) {
    expect(name).toStartWith("tideline_");
    expect(help).toEndWith(".");
  }
});

test("what streams have done is the sum of those that are open and those that have ended", async () => {
  const metrics = createMetrics();
  const counts = new StreamCounts(metrics);
  const streams = new StreamRegistry();
  counts.watch(streams);
  counts.streamOpened();
  counts.streamOpened();
  const first = streams.add(stream({ frames: 2, liveMessages: 5, healedMessages: 1, lagOffsets: 900 }));
  streams.add(stream({ frames: 3, waveMessages: 7, lagOffsets: 40 }));
  const text = await metrics.render();
  expect(text).toContain("tideline_frames_total 5");
  expect(text).toContain('tideline_messages_delivered_total{lane="live"} 5');
  expect(text).toContain('tideline_messages_delivered_total{lane="wave"} 7');
  expect(text).toContain('tideline_messages_delivered_total{lane="healed"} 1');
  expect(text).toContain("tideline_lag_offsets 900");
  streams.remove(first);
  counts.streamEnded("Subscribe", "noPong", account({ frames: 4, liveMessages: 6 }));
  const after = await metrics.render();
  expect(after).toContain("tideline_frames_total 7");
  expect(after).toContain('tideline_messages_delivered_total{lane="live"} 6');
  expect(after).toContain("tideline_lag_offsets 40");
  expect(after).toContain("tideline_streams_open 1");
  expect(after).toContain("tideline_streams_reaped_total 1");
  expect(after).toContain('tideline_streams_ended_total{reason="noPong"} 1');
});

test("offers are all accounted for: settled one way or another, waiting, or ended with their stream", async () => {
  const metrics = createMetrics();
  const counts = new StreamCounts(metrics);
  const streams = new StreamRegistry();
  counts.watch(streams);
  const open = { offers: 21, liveMessages: 5, foldedMessages: 4, unwantedOffers: 3, rereadOffers: 2 };
  const id = streams.add(stream({ ...open, dueOffsets: 6, heldOffsets: 1, maxLagOffsets: 50 }));
  const text = await metrics.render();
  expect(text).toContain("tideline_offers_total 21");
  const fates = Object.entries({ live: 5, folded: 4, unwanted: 3, reread: 2, ended: 0 });
  for (const [fate, count] of fates) expect(text).toContain(`tideline_offers_settled_total{fate="${fate}"} ${count}`);
  expect(text).toContain("tideline_offers_waiting 7");
  streams.remove(id);
  counts.streamEnded("Subscribe", "stalled", account({ ...open, dueOffsets: 6, heldOffsets: 1, maxLagOffsets: 60 }));
  const after = await metrics.render();
  expect(after).toContain('tideline_offers_settled_total{fate="ended"} 7');
  expect(after).toContain("tideline_offers_waiting 0");
  expect(after).toContain("tideline_max_lag_offsets 60");
});

test("processes of one node are shown together: counts add up, of what must hold everywhere the worst is shown", async () => {
  const [one, other] = [createMetrics(), createMetrics()];
  one.serve.streamsOpen.set(2);
  other.serve.streamsOpen.set(3);
  one.serve.streamsEnded.add("finished");
  other.serve.streamsEnded.add("finished", 4);
  other.serve.streamsEnded.add("noPong");
  one.serve.lagOffsets.set(7);
  other.serve.lagOffsets.set(5);
  one.feed.listening.set(1);
  other.feed.listening.set(0);
  one.publish.seconds.observe(0.003);
  other.publish.seconds.observe(0.004);
  other.publish.seconds.observe(20);
  const text = await one.render([await other.snapshot()]);
  expect(text).toContain("tideline_processes 2\n");
  expect(text).toContain("tideline_streams_open 5\n");
  expect(text).toContain('tideline_streams_ended_total{reason="finished"} 5\n');
  expect(text).toContain('tideline_streams_ended_total{reason="noPong"} 1\n');
  expect(text).toContain("tideline_lag_offsets 7\n");
  expect(text).toContain("tideline_listening 0\n");
  expect(text).toContain('tideline_publish_seconds_bucket{le="0.005"} 2\n');
  expect(text).toContain('tideline_publish_seconds_bucket{le="+Inf"} 3\n');
  expect(text).toContain("tideline_publish_seconds_count 3\n");
});

test("R-5b: a request that was ignored is counted", async () => {
  const metrics = createMetrics();
  new StreamCounts(metrics).requestIgnored();
  expect(await metrics.render()).toContain("tideline_unknown_requests_total 1");
});

test("the feed is looked at when somebody asks, not before", async () => {
  const metrics = createMetrics();
  let asked = 0;
  watchFeed(metrics, () => {
    asked++;
    return {
      ready: true,
      listening: asked === 1,
      looks: 10 * asked,
      lookAgeMs: 1_500,
      headIds: [0n, 0n],
      tailRows: 7,
      tailBytes: 700,
      watchedTopics: 3,
      subscribers: 2,
      indexedTopics: 3,
      replays: 1,
      replayQueriesRunning: 0,
      replayQueriesWaiting: 0,
    };
  });
  expect(asked).toBe(0);
  const text = await metrics.render();
  for (const line of ["tail_rows 7", "looks_total 10", "look_age_seconds 1.5", "listening 1", "watched_topics 3"]) {
    expect(text).toContain(`\ntideline_${line}\n`);
  }
  expect(await metrics.render()).toContain("\ntideline_listening 0\n");
});
