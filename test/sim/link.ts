import type { ClientRequest } from "../../src/core/connection/events";
import type { StatusName } from "../../src/core/connection/status";
import type { Frame } from "../../src/core/frame";
import type { Prng } from "../support/prng";
import type { VirtualClock } from "../support/virtual-clock";

/** What travels towards the client. */
export type Downward = Frame | { readonly kind: "ended"; readonly status: StatusName };

/** What travels towards the node. A cancel is what remains of a client that closed its end. */
export type Upward = ClientRequest | { readonly kind: "cancel" };

/** Who sits at the node's end. */
export interface NodeEnd {
  receive(request: Upward): void;
  /** The client took a frame off the link. */
  taken(): void;
}

/** Who sits at the client's end. */
export interface ClientEnd {
  arrived(item: Downward): void;
}

/**
 * One stream's transport under virtual time: in order, late, of limited room downwards; it can hang without a word.
 */
export class Link {
  readonly #clock: VirtualClock;
  readonly #random: Prng;
  readonly #maxLatencyMs: number;
  readonly #roomFrames: number;
  readonly #client: ClientEnd;
  #node: NodeEnd | undefined;
  /** Arrived, not yet read. */
  readonly #arrived: Downward[] = [];
  #state: "open" | "hanging" | "closed" = "open";
  #isReading = true;
  #inFlight = 0;
  #upAt = 0;
  #downAt = 0;

  constructor(clock: VirtualClock, random: Prng, client: ClientEnd) {
    this.#clock = clock;
    this.#random = random;
    this.#client = client;
    this.#maxLatencyMs = random.pick([2, 20, 200]);
    this.#roomFrames = random.pick([1, 3, 50]);
  }

  attach(node: NodeEnd): void {
    this.#node = node;
  }

  /** Whether another frame may be sent downwards. */
  get hasRoom(): boolean {
    return this.#inFlight < this.#roomFrames;
  }

  up(request: Upward): void {
    this.#upAt = this.#arrival(this.#upAt);
    this.#at(this.#upAt, () => this.#node?.receive(request));
  }

  down(item: Downward): void {
    this.#inFlight += 1;
    this.#downAt = this.#arrival(this.#downAt);
    this.#at(this.#downAt, () => {
      this.#arrived.push(item);
      this.#read();
    });
  }

  /** The client stops reading, or goes on. */
  setReading(isReading: boolean): void {
    this.#isReading = isReading;
    this.#read();
  }

  /** From now on nothing arrives at either end, and neither is told. */
  hang(): void {
    if (this.#state === "open") this.#state = "hanging";
  }

  /** The client's end is gone: nothing arrives there any more, and the node hears of it, if anything still reaches it. */
  close(): void {
    if (this.#state === "open") this.up({ kind: "cancel" });
    if (this.#state === "open") this.#state = "closed";
  }

  #arrival(last: number): number {
    return Math.max(last, this.#clock.now() + this.#random.int(this.#maxLatencyMs));
  }

  /** What is on its way when the link hangs is lost; what the client says before it closes still arrives. */
  #at(time: number, deliver: () => void): void {
    this.#clock.after(time - this.#clock.now(), () => {
      if (this.#state !== "hanging") deliver();
    });
  }

  #read(): void {
    while (this.#isReading && this.#state === "open") {
      const item = this.#arrived.shift();
      if (item === undefined) return;
      this.#inFlight -= 1;
      this.#client.arrived(item);
      this.#node?.taken();
    }
  }
}
