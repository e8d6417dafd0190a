import type { Message } from "../message";
import type { Topic } from "../topic";
import type { Wave } from "./wave";

/** A floor as it is kept: a number, which needs no memory of its own, where it is exact. */
type Floor = number | bigint;

/** A topic that is in a wave. */
class Gated {
  floor: bigint;
  readonly wave: Wave;

  constructor(floor: bigint, wave: Wave) {
    this.floor = floor;
    this.wave = wave;
  }
}

/**
 * What a stream is registered for: per topic its floor, and the wave it is in, if any.
 *
 * A topic without a wave is live. In a wave it is gated; in a history_only wave it is known for the
 * length of the replay only and never becomes live. One lean map, without an object for a live topic,
 * because a stream may have a million of them.
 */
export class Registrations {
  readonly #entries = new Map<Topic, Floor | Gated>();
  #gated = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** Whether any topic is in a wave. */
  get anyInWave(): boolean {
    return this.#gated > 0;
  }

  /** Every topic that is registered now. */
  topics(): Iterable<Topic> {
    return this.#entries.keys();
  }

  /** Whether any topic is live. */
  get anyLive(): boolean {
    return this.#entries.size > this.#gated;
  }

  /** Nothing at or below it is delivered; `undefined` if the topic is not registered. */
  floorOf(topic: Topic): bigint | undefined {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return undefined;
    return entry instanceof Gated ? entry.floor : BigInt(entry);
  }

  waveOf(topic: Topic): Wave | undefined {
    const entry = this.#entries.get(topic);
    return entry instanceof Gated ? entry.wave : undefined;
  }

  /** Whether live messages of the topic are wanted, now or after its wave. */
  isSubscribed(topic: Topic): boolean {
    const entry = this.#entries.get(topic);
    return entry instanceof Gated ? !entry.wave.historyOnly : entry !== undefined;
  }

  /** Registers a topic, or anew from another cursor, as one of a wave. Returns what it was until now. */
  enter(topic: Topic, cursor: bigint, wave: Wave): Wave | "live" | undefined {
    const before = this.#entries.get(topic);
    this.#entries.set(topic, new Gated(cursor, wave));
    if (before instanceof Gated) return before.wave;
    this.#gated++;
    return before === undefined ? undefined : "live";
  }

  /** Whether a message is of a live topic and above its floor. */
  isWantedLive({ topic, id }: Message): boolean {
    const entry = this.#entries.get(topic);
    // Exact: an id that a number cannot hold becomes one that is above all floors that are numbers.
    if (typeof entry === "number") return Number(id) > entry;
    return typeof entry === "bigint" && id > entry;
  }

  /** A message that is wanted live was delivered: nothing up to it is delivered again (R-8, I2). */
  raiseLive({ topic, id }: Message): void {
    this.#entries.set(topic, lean(id));
  }

  /** Whether a message is of a topic of this wave and above its floor. */
  isWantedIn(wave: Wave, { topic, id }: Message): boolean {
    const entry = this.#entries.get(topic);
    return entry instanceof Gated && entry.wave === wave && id > entry.floor;
  }

  /** A message that is wanted in a wave was delivered: nothing up to it is delivered again (R-8, I2). */
  raiseGated({ topic, id }: Message): void {
    const entry = this.#entries.get(topic);
    if (entry instanceof Gated) entry.floor = id;
  }

  /** The gates of a wave's topics open. */
  goLive(wave: Wave, topics: readonly Topic[]): void {
    for (const topic of topics) {
      const entry = this.#entries.get(topic);
      if (!(entry instanceof Gated) || entry.wave !== wave) continue;
      this.#entries.set(topic, lean(entry.floor));
      this.#gated--;
    }
  }

  remove(topic: Topic): void {
    if (this.#entries.get(topic) instanceof Gated) this.#gated--;
    this.#entries.delete(topic);
  }

  /** Calls back for each live topic. */
  forEachLive(callback: (topic: Topic, floor: bigint) => void): void {
    for (const [topic, entry] of this.#entries) if (!(entry instanceof Gated)) callback(topic, BigInt(entry));
  }
}

function lean(floor: bigint): Floor {
  const number = Number(floor);
  return number <= Number.MAX_SAFE_INTEGER ? number : floor;
}
