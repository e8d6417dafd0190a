import type { Metrics } from "../../base/metrics";
import type { SessionAccount } from "../../core/session/account";
import type { StreamMetrics, StreamOutcome, StreamRegistry } from "./host";

/** What is added up over streams. */
const SUMMED = [
  "mutates",
  "wavesBegun",
  "wavesComplete",
  "offers",
  "unwantedOffers",
  "rereadOffers",
  "storeRows",
  "unwantedRows",
  "liveMessages",
  "waveMessages",
  "foldedMessages",
  "healedMessages",
  "frames",
  "entryBytes",
  "pings",
  "pongs",
] as const satisfies readonly (keyof SessionAccount)[];

type Sums = Record<(typeof SUMMED)[number], number>;

/**
 * What the streams of a process have done, for its metrics. A stream keeps its own account, so that a frame
 * costs nothing here: accounts are added up when somebody asks, and once more when a stream ends.
 */
export class StreamCounts implements StreamMetrics {
  readonly #metrics: Metrics;
  readonly #ended = noSums();
  /** Offers that still waited when their streams ended. */
  #endedOffers = 0;
  #maxLagOffsets = 0;

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  /** Shows the streams of a registry beside those that have ended. To be called once. */
  watch(streams: StreamRegistry): void {
    this.#metrics.beforeRead(() => this.#update(streams));
  }

  streamOpened(): void {
    this.#metrics.serve.streamsOpen.add(1);
  }

  streamEnded(_rpc: string, outcome: StreamOutcome, account: SessionAccount): void {
    const { serve } = this.#metrics;
    serve.streamsOpen.add(-1);
    serve.streamsEnded.add(outcome);
    if (outcome === "noPong") serve.reaped.add();
    addTo(this.#ended, account);
    this.#endedOffers += account.dueOffsets + account.heldOffsets;
    this.#maxLagOffsets = Math.max(this.#maxLagOffsets, account.maxLagOffsets);
  }

  requestIgnored(): void {
    this.#metrics.serve.unknownRequests.add();
  }

  #update(streams: StreamRegistry): void {
    const sums = { ...this.#ended };
    let lagOffsets = 0;
    let maxLagOffsets = this.#maxLagOffsets;
    let waitingOffers = 0;
    for (const [, { account }] of streams.entries()) {
      addTo(sums, account);
      lagOffsets = Math.max(lagOffsets, account.lagOffsets);
      maxLagOffsets = Math.max(maxLagOffsets, account.maxLagOffsets);
      waitingOffers += account.dueOffsets + account.heldOffsets;
    }
    const { serve } = this.#metrics;
    serve.mutates.to(sums.mutates);
    serve.waves.to(sums.wavesBegun);
    serve.wavesComplete.to(sums.wavesComplete);
    serve.offers.to(sums.offers);
    serve.offersSettled.to("live", sums.liveMessages);
    serve.offersSettled.to("folded", sums.foldedMessages);
    serve.offersSettled.to("unwanted", sums.unwantedOffers);
    serve.offersSettled.to("reread", sums.rereadOffers);
    serve.offersSettled.to("ended", this.#endedOffers);
    serve.offersWaiting.set(waitingOffers);
    serve.storeRows.to(sums.storeRows);
    serve.unwantedRows.to(sums.unwantedRows);
    serve.frames.to(sums.frames);
    serve.entryBytes.to(sums.entryBytes);
    serve.messages.to("live", sums.liveMessages);
    serve.messages.to("wave", sums.waveMessages);
    serve.messages.to("healed", sums.healedMessages);
    serve.pings.to(sums.pings);
    serve.pongs.to(sums.pongs);
    serve.lagOffsets.set(lagOffsets);
    serve.maxLagOffsets.set(maxLagOffsets);
  }
}

function noSums(): Sums {
  return {
    mutates: 0,
    wavesBegun: 0,
    wavesComplete: 0,
    offers: 0,
    unwantedOffers: 0,
    rereadOffers: 0,
    storeRows: 0,
    unwantedRows: 0,
    liveMessages: 0,
    waveMessages: 0,
    foldedMessages: 0,
    healedMessages: 0,
    frames: 0,
    entryBytes: 0,
    pings: 0,
    pongs: 0,
  };
}

function addTo(sums: Sums, account: SessionAccount): void {
  for (const name of SUMMED) sums[name] += account[name];
}
