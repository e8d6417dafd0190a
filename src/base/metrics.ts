/**
 * What the node counts about itself.
 *
 * Counting costs an addition to a plain number, so that it may be done per frame; Prometheus's own objects
 * are brought up to date when somebody asks. Names, labels and help are all here, so that this file is the
 * list of what there is. Labels are small closed sets: never a topic, an id or an address.
 */

import { AggregatorRegistry, Registry } from "prom-client";
import { type Count, type CountBy, type Level, Maker, type Spread } from "./metrics-maker";

/** What the streams and the ordinary calls count. */
export interface ServeMetrics {
  readonly streamsOpen: Level;
  /** By the reason of the close (a CloseReason). */
  readonly streamsEnded: CountBy;
  readonly frames: Count;
  /** Bytes of the messages in them. */
  readonly entryBytes: Count;
  /** By where they came from: live, wave, healed. */
  readonly messages: CountBy;
  readonly mutates: Count;
  /** Waves begun, and waves complete. */
  readonly waves: Count;
  readonly wavesComplete: Count;
  /**
   * Messages that the hub offered to streams that watch their topic, and what became of them: delivered live or
   * folded into a wave; unwanted, because the topic was removed or had been delivered beyond them; reread from the store,
   * because they had waited too long; or ended with their stream. What is offered and not settled waits.
   */
  readonly offers: Count;
  readonly offersSettled: CountBy;
  readonly offersWaiting: Level;
  /** Rows of the store read for streams, and of these the ones that were not wanted any more. */
  readonly storeRows: Count;
  readonly unwantedRows: Count;
  /** Requests of V1 that this node does not know, ignored (R-5b). */
  readonly unknownRequests: Count;
  /** Pings sent to clients, and Pings of clients answered. */
  readonly pings: Count;
  readonly pongs: Count;
  /** Streams ended because a Ping stayed unanswered. */
  readonly reaped: Count;
  /** How far the stream that is furthest behind the tail is behind it, in messages. */
  readonly lagOffsets: Level;
  /** The same at its worst since the start. */
  readonly maxLagOffsets: Level;
  /** Calls that are no streams, by method; and those among them that failed, by status. */
  readonly calls: CountBy;
  readonly callsFailed: CountBy;
  /** Seconds of such a call that went well. */
  readonly callSeconds: Spread;
  /** When the certificate ends to be valid, in seconds since 1970; 0 without TLS. */
  readonly certificateValidTo: Level;
}

/** What the way into the store counts. */
export interface PublishMetrics {
  /** Messages that were published and acked, by kind: group, welcome. */
  readonly messages: CountBy;
  /** Messages that were not taken, by reason. */
  readonly refused: CountBy;
  /** Seconds from a request until its messages were durable. */
  readonly seconds: Spread;
  /** Committed batches, and how many messages they had. */
  readonly batches: Count;
  readonly batchRows: Spread;
}

/** What comes of what is validated before it is stored: `stored`, or the rule by which it was refused. */
export interface ValidationMetrics {
  readonly identityUpdates: CountBy;
  readonly keyPackages: CountBy;
}

/** What the feed counts. */
export interface FeedMetrics {
  readonly tailRows: Level;
  readonly tailBytes: Level;
  readonly watchedTopics: Level;
  readonly replays: Level;
  readonly looks: Count;
  /** Seconds since the last look was done. */
  readonly lookAgeSeconds: Level;
  /** 1 while notifications reach us, else 0. Of several processes the least. */
  readonly listening: Level;
  /** How often the listener was found deaf or away. */
  readonly deaf: Count;
}

/** What retention counts. */
export interface RetentionMetrics {
  /** Messages deleted because they were too old, by kind: group, welcome. */
  readonly deleted: CountBy;
  /** Bytes of them. */
  readonly deletedBytes: Count;
}

/** What the canary counts. */
export interface CanaryMetrics {
  /** Seconds from the publication of one to its delivery: all, and the last one. */
  readonly seconds: Spread;
  readonly lastSeconds: Level;
  /** Seconds since one came through. */
  readonly silentSeconds: Level;
  readonly lost: Count;
}

/** All metrics of a process. */
export interface Metrics {
  readonly serve: ServeMetrics;
  readonly publish: PublishMetrics;
  readonly validation: ValidationMetrics;
  readonly feed: FeedMetrics;
  readonly retention: RetentionMetrics;
  readonly canary: CanaryMetrics;
  /** Calls back before the values are read, to bring up to date what is counted elsewhere. */
  beforeRead(update: () => void): void;
  /** The values now, in a form that another process of the node can {@link render} with its own. */
  snapshot(): Promise<string>;
  /** The values now and those of `others` together, in the text format of Prometheus, and the content type that goes with it. */
  render(others?: readonly string[]): Promise<string>;
  readonly contentType: string;
}

/** Makes the metrics of a process, all at zero. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const make = new Maker(registry);
  const updates: (() => void)[] = [];
  const snapshot = async (): Promise<string> => {
    for (const update of updates) update();
    return JSON.stringify(await registry.getMetricsAsJSON());
  };
  make.level("processes", "Processes of the node whose figures these are.").set(1);
  return {
    serve: serveMetrics(make),
    publish: publishMetrics(make),
    validation: validationMetrics(make),
    feed: feedMetrics(make),
    retention: retentionMetrics(make),
    canary: canaryMetrics(make),
    beforeRead: (update) => {
      updates.push(update);
    },
    snapshot,
    render: async (others = []) => {
      const all = [await snapshot(), ...others].map((text) => JSON.parse(text));
      return AggregatorRegistry.aggregate(all).metrics();
    },
    contentType: registry.contentType,
  };
}

function serveMetrics(make: Maker): ServeMetrics {
  return {
    streamsOpen: make.level("streams_open", "Streams open now."),
    streamsEnded: make.countBy("streams_ended_total", "Streams that ended, by reason.", "reason"),
    frames: make.count("frames_total", "Frames handed to the transport."),
    entryBytes: make.count("delivered_bytes_total", "Bytes of messages delivered."),
    messages: make.countBy("messages_delivered_total", "Messages delivered, by where they came from.", "lane"),
    mutates: make.count("mutates_total", "Mutates applied."),
    waves: make.count("waves_total", "Waves begun."),
    wavesComplete: make.count("waves_complete_total", "Waves that ended with CatchupComplete."),
    offers: make.count("offers_total", "Messages offered to streams that watch their topic."),
    offersSettled: make.countBy(
      "offers_settled_total",
      "What became of offers; with those that wait they add up to all offers.",
      "fate",
    ),
    offersWaiting: make.level("offers_waiting", "Offers that wait to be delivered."),
    storeRows: make.count("store_rows_total", "Rows of the store read for streams."),
    unwantedRows: make.count(
      "unwanted_rows_total",
      "Rows of the store read for streams that did not want them any more.",
    ),
    unknownRequests: make.count("unknown_requests_total", "Requests of a type unknown to this node, ignored."),
    pings: make.count("pings_total", "Pings sent to clients."),
    pongs: make.count("pongs_total", "Pings of clients answered."),
    reaped: make.count("streams_reaped_total", "Streams ended because a Ping stayed unanswered."),
    lagOffsets: make.level("lag_offsets", "Messages by which the slowest stream is behind the tail.", "max"),
    maxLagOffsets: make.level(
      "max_lag_offsets",
      "Messages by which any stream was behind the tail at most, ever.",
      "max",
    ),
    calls: make.countBy("calls_total", "Calls that are no streams, by method.", "method"),
    callsFailed: make.countBy("calls_failed_total", "Calls that failed, by status.", "status"),
    callSeconds: make.spread("call_seconds", "Seconds of a call that went well.", SECONDS),
    certificateValidTo: make.level(
      "certificate_valid_to_seconds",
      "When the certificate ends to be valid, in seconds since 1970; 0 without TLS.",
      "min",
    ),
  };
}

function publishMetrics(make: Maker): PublishMetrics {
  return {
    messages: make.countBy("messages_published_total", "Messages published and acked, by kind.", "kind"),
    refused: make.countBy("messages_refused_total", "Messages not taken, by reason.", "reason"),
    seconds: make.spread("publish_seconds", "Seconds until the messages of a request were durable.", SECONDS),
    batches: make.count("append_batches_total", "Batches committed."),
    batchRows: make.spread("append_batch_rows", "Messages of a batch.", ROWS),
  };
}

function validationMetrics(make: Maker): ValidationMetrics {
  const outcomes = "stored, or refused by a rule";
  return {
    identityUpdates: make.countBy("identity_updates_total", `Identity updates that were ${outcomes}.`, "outcome"),
    keyPackages: make.countBy("key_packages_total", `Key packages that were ${outcomes}.`, "outcome"),
  };
}

function feedMetrics(make: Maker): FeedMetrics {
  return {
    tailRows: make.level("tail_rows", "Messages in the tail."),
    tailBytes: make.level("tail_bytes", "Bytes of messages in the tail."),
    watchedTopics: make.level("watched_topics", "Topics that streams watch."),
    replays: make.level("replays", "Replays running."),
    looks: make.count("looks_total", "Looks at the store."),
    lookAgeSeconds: make.level("look_age_seconds", "Seconds since the last look at the store was done.", "max"),
    listening: make.level("listening", "1 while notifications reach all of this node.", "min"),
    deaf: make.count("listener_deaf_total", "How often the listener was found deaf or away."),
  };
}

function retentionMetrics(make: Maker): RetentionMetrics {
  return {
    deleted: make.countBy("messages_deleted_total", "Messages deleted because they were too old, by kind.", "kind"),
    deletedBytes: make.count("deleted_bytes_total", "Bytes of messages deleted because they were too old."),
  };
}

function canaryMetrics(make: Maker): CanaryMetrics {
  return {
    seconds: make.spread("canary_seconds", "Seconds from publishing a canary to its delivery.", SECONDS),
    lastSeconds: make.level("canary_last_seconds", "Seconds that the last canary took.", "max"),
    silentSeconds: make.level("canary_silent_seconds", "Seconds since a canary came through.", "max"),
    lost: make.count("canaries_lost_total", "Canaries that never came through."),
  };
}

const SECONDS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const ROWS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 4_096];
