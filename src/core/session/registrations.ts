import type { Topic } from "../topic";
import type { Wave } from "./wave";

/**
 * What a stream is registered for: per topic its floor, and the wave it is in, if any.
 *
 * A topic without a wave is live. In a wave it is gated; in a history_only wave it is known for the
 * length of the replay only and never becomes live. Two lean maps rather than an object per topic,
 * because a stream may have a million live ones.
 */
export class Registrations {
  readonly #floors = new Map<Topic, bigint>();
  readonly #waves = new Map<Topic, Wave>();

  get size(): number {
    return this.#floors.size;
  }

  /** Whether any topic is in a wave. */
  get anyInWave(): boolean {
    return this.#waves.size > 0;
  }

  /** Every topic that is registered now. */
  topics(): Iterable<Topic> {
    return this.#floors.keys();
  }

  /** Whether any topic is live. */
  get anyLive(): boolean {
    return this.#floors.size > this.#waves.size;
  }

  /** Nothing at or below it is delivered; `undefined` if the topic is not registered. */
  floorOf(topic: Topic): bigint | undefined {
    return this.#floors.get(topic);
  }

  waveOf(topic: Topic): Wave | undefined {
    return this.#waves.get(topic);
  }

  /** Whether live messages of the topic are wanted, now or after its wave. */
  isSubscribed(topic: Topic): boolean {
    return this.#floors.has(topic) && this.#waves.get(topic)?.historyOnly !== true;
  }

  /** Registers a topic, or anew from another cursor, as one of a wave. */
  enter(topic: Topic, cursor: bigint, wave: Wave): void {
    this.#floors.set(topic, cursor);
    this.#waves.set(topic, wave);
  }

  /** A message of the topic was delivered: nothing up to it is delivered again (R-8, I2). */
  raise(topic: Topic, id: bigint): void {
    this.#floors.set(topic, id);
  }

  /** The gate of a topic opens. */
  goLive(topic: Topic): void {
    this.#waves.delete(topic);
  }

  remove(topic: Topic): void {
    this.#floors.delete(topic);
    this.#waves.delete(topic);
  }

  /** Calls back for each live topic. */
  forEachLive(callback: (topic: Topic, floor: bigint) => void): void {
    for (const [topic, floor] of this.#floors) if (!this.#waves.has(topic)) callback(topic, floor);
  }
}
