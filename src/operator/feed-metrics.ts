import type { Metrics } from "../base/metrics";
import type { FeedStats } from "../feed/feed";

/** Shows how a feed is among the metrics. To be called once. */
export function watchFeed(metrics: Metrics, stats: () => FeedStats): void {
  const { feed } = metrics;
  metrics.beforeRead(() => {
    const now = stats();
    feed.tailRows.set(now.tailRows);
    feed.tailBytes.set(now.tailBytes);
    feed.watchedTopics.set(now.watchedTopics);
    feed.replays.set(now.replays);
    feed.looks.to(now.looks);
    feed.lookAgeSeconds.set((now.lookAgeMs ?? 0) / 1_000);
    feed.listening.set(now.listening ? 1 : 0);
  });
}
