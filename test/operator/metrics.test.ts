import { expect, test } from "bun:test";
import { createMetrics } from "../../src/base/metrics";
import { Counters, type SessionAccount } from "../../src/core/session/account";
import { watchFeed } from "../../src/operator/feed-metrics";
import { type RegisteredStream, StreamRegistry } from "../../src/serve/runner-host";
import { StreamCounts } from "../../src/serve/services-metrics";

function account(counted: Partial<SessionAccount>): SessionAccount {
  return { ...new Counters(), topics: 0, waves: 0, wavesComplete: 0, dueOffsets: 0, lagOffsets: 0, ...counted };
}

function stream(counted: Partial<SessionAccount>): RegisteredStream {
  return { account: account(counted), shutdown: () => {} };
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
