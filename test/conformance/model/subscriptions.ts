import type { Mutate } from "../../../src/core/frame";
import type { Broken } from "./faults";
import type { MessageLog, Stored } from "./log";

/** A topic that a stream has asked for. */
interface Standing {
  /** nothing at or below it is delivered. */
  floor: bigint;
  /** What gates it; `undefined` once it is live. */
  wave: ModelWave | undefined;
  /** The Mutate that subscribed it. */
  readonly by: bigint;
}

/** What a Mutate set going. */
interface ModelWave {
  readonly id: bigint;
  readonly historyOnly: boolean;
  /** Those that are still in it. */
  readonly topics: Set<string>;
  /** What it has to deliver, in order; what arrives meanwhile is folded in at the end. */
  readonly rows: Stored[];
  /** The next of them. */
  at: number;
}

/** Why a Mutate is refused. */
export interface Refusal {
  readonly kind: "badRequest" | "overLimit";
  readonly words: string;
}

/** Messages of one lane that make one frame. */
export interface Delivery {
  readonly lane: bigint;
  readonly rows: readonly Stored[];
}

/** The end of a wave. */
export interface WaveEnd {
  readonly id: bigint;
  readonly topics: readonly string[];
}

const MAX_CURSOR = (1n << 63n) - 1n;
const MAX_TOPICS = 1_000_000;
const MAX_ADDS = 100_000;
const MAX_WAVES = 256;
const FRAME_ROWS = 100;
const FRAME_BYTES = 256 * 1024;

/**
 * What one stream has subscribed to, and what is due to it. Written from the rules alone, as simply as they allow: the
 * whole history of a wave is looked up when it begins, and all that arrives meanwhile for its topics is folded into it,
 * so that nothing is ever held back.
 */
export class Subscriptions {
  readonly #log: MessageLog;
  readonly #broken: Broken;
  readonly #standings = new Map<string, Standing>();
  readonly #waves = new Map<bigint, ModelWave>();
  #live: Stored[] = [];
  /** For "floor-outlives-remove". */
  readonly #remembered = new Map<string, bigint>();
  /** For "wave-under-another-tag". */
  #newestWave = 0n;
  /** For "one-mark-for-both-kinds". */
  #mark = 0n;

  constructor(log: MessageLog, broken: Broken) {
    this.#log = log;
    this.#broken = broken;
  }

  get waves(): number {
    return this.#waves.size;
  }

  get hasLive(): boolean {
    return this.#live.length > 0;
  }

  /** Why a Mutate has to be refused, if it has to. Changes nothing. */
  refusal(mutate: Mutate): Refusal | undefined {
    const { id, adds, removes } = mutate;
    const bad = [...adds.map(({ topic }) => topic), ...removes].find((topic) => !this.#isTopic(topic));
    if (bad !== undefined) return badRequest("a topic is a known kind byte and an identifier of at least one byte");
    const beyond = !this.#broken("cursor-beyond-63-bits-accepted") && adds.some(({ cursor }) => cursor > MAX_CURSOR);
    if (beyond) return badRequest("a cursor is at most 2^63-1");
    if (adds.length > 0 && id === 0n && !this.#broken("zero-id-accepted")) {
      return badRequest("a Mutate with adds needs a mutate_id other than 0");
    }
    if (this.#waves.has(id) && !this.#broken("id-in-flight-accepted")) {
      return badRequest(`mutate_id ${id} belongs to a wave that is under way`);
    }
    if (!this.#broken("history-of-subscribed-accepted") && adds.some(({ topic }) => this.#clashes(mutate, topic))) {
      return badRequest("history_only and a subscription, or another replay, of the same topic");
    }
    return this.#broken("no-limits") ? undefined : this.#overLimit(mutate);
  }

  /** Applies a Mutate that is not refused. Returns whether it started a wave. */
  apply(mutate: Mutate): "wave" | "nothing" {
    const { removes, adds } = mutate;
    if (this.#broken("adds-before-removes")) {
      const started = this.#join(mutate, adds);
      for (const topic of removes) this.#remove(topic);
      return started;
    }
    for (const topic of removes) this.#remove(topic);
    return this.#join(mutate, adds);
  }

  /** A message was stored. */
  stored(message: Stored): void {
    const standing = this.#standings.get(message.topic);
    if (standing === undefined) return;
    const { wave } = standing;
    if (wave === undefined) {
      if (this.#broken("live-disordered")) this.#live.unshift(message);
      else this.#live.push(message);
      return;
    }
    if (wave.historyOnly) {
      if (this.#broken("history-unpinned")) wave.rows.push(message);
      return;
    }
    if (this.#broken("seam-gap")) return;
    if (this.#broken("fold-untagged")) this.#live.push(message);
    else wave.rows.push(message);
  }

  /** The next frame of the live lane, if there is one. */
  nextLive(): Delivery | undefined {
    if (this.#broken("live-behind-waves") && this.#waves.size > 0) return undefined;
    const rows: Stored[] = [];
    let lane = 0n;
    while (this.#live.length > 0 && hasRoom(rows)) {
      const [row] = this.#live.splice(0, 1);
      const standing = row === undefined ? undefined : this.#standings.get(row.topic);
      if (row === undefined || !this.#isDueLive(row, standing)) continue;
      if (standing !== undefined && row.id > standing.floor) standing.floor = row.id;
      this.#mark = row.id;
      rows.push(row);
      if (this.#broken("live-tagged")) lane = standing?.by ?? 0n;
    }
    return rows.length === 0 ? undefined : { lane, rows };
  }

  /** The next frame of a wave, or the end of one; the waves have turns. */
  nextOfWaves(): { readonly delivery: Delivery } | { readonly end: WaveEnd } | undefined {
    const [wave] = this.#waves.values();
    if (wave === undefined) return undefined;
    // To the back of the queue: the others come first next time.
    this.#waves.delete(wave.id);
    const rows = this.#takeRows(wave);
    if (rows.length === 0) return { end: this.#complete(wave) };
    this.#waves.set(wave.id, wave);
    const lane = this.#broken("wave-under-another-tag") ? this.#newestWave : wave.id;
    return { delivery: { lane, rows } };
  }

  #takeRows(wave: ModelWave): readonly Stored[] {
    const rows: Stored[] = [];
    while (wave.at < wave.rows.length && hasRoom(rows)) {
      const row = wave.rows[wave.at];
      wave.at += 1;
      const standing = row === undefined ? undefined : this.#standings.get(row.topic);
      const isIn = row !== undefined && wave.topics.has(row.topic);
      if (!isIn || (standing !== undefined && row.id <= standing.floor && !this.#broken("wave-descends"))) continue;
      if (standing !== undefined) standing.floor = row.id;
      rows.push(row);
    }
    return rows;
  }

  #complete(wave: ModelWave): WaveEnd {
    const last = wave.rows.at(-1);
    for (const topic of wave.topics) {
      const standing = this.#standings.get(topic);
      if (standing?.wave !== wave) continue;
      standing.wave = undefined;
      if (wave.historyOnly && !this.#broken("history-goes-live")) this.#standings.delete(topic);
    }
    if (this.#broken("seam-duplicate") && last !== undefined) this.#live.unshift(last);
    return { id: wave.id, topics: [...wave.topics] };
  }

  #isDueLive(row: Stored, standing: Standing | undefined): boolean {
    if (standing === undefined) return this.#broken("remove-leaks-live");
    if (this.#broken("seam-duplicate") && row.id === standing.floor) return true;
    if (this.#broken("live-disordered")) return true;
    if (this.#broken("one-mark-for-both-kinds") && row.id <= this.#mark) return false;
    if (standing.wave !== undefined && !this.#broken("fold-untagged")) return false;
    if (this.#broken("future-cursor-forgotten") && standing.floor > this.#log.heads[row.kind]) return true;
    return row.id > standing.floor;
  }

  #join(mutate: Mutate, adds: Mutate["adds"]): "wave" | "nothing" {
    const cursors = new Map<string, bigint>();
    for (const { topic, cursor } of adds) {
      const known = cursors.get(topic);
      const wins = known === undefined || (this.#broken("highest-add-wins") ? cursor > known : cursor < known);
      if (wins) cursors.set(topic, cursor);
    }
    for (const [topic, cursor] of cursors) if (!this.#joins(topic, cursor)) cursors.delete(topic);
    if (cursors.size === 0) return "nothing";
    const { id, historyOnly } = mutate;
    const wave: ModelWave = { id, historyOnly, topics: new Set(cursors.keys()), rows: [], at: 0 };
    for (const [topic, cursor] of cursors) {
      this.#leaveWave(topic);
      const floor = this.#broken("cursor-inclusive") && cursor > 0n ? cursor - 1n : cursor;
      const remembered = this.#broken("floor-outlives-remove") ? (this.#remembered.get(topic) ?? 0n) : 0n;
      this.#standings.set(topic, { floor: floor > remembered ? floor : remembered, wave, by: id });
      wave.rows.push(...this.#log.above(topic, floor));
    }
    if (!this.#broken("topic-by-topic")) wave.rows.sort((a, b) => (a.id < b.id ? -1 : 1));
    if (this.#broken("wave-descends")) wave.rows.reverse();
    if (this.#broken("wave-loses-its-last")) wave.rows.pop();
    this.#waves.set(id, wave);
    this.#newestWave = id;
    return "wave";
  }

  /** */
  #joins(topic: string, cursor: bigint): boolean {
    const standing = this.#standings.get(topic);
    if (standing === undefined || this.#broken("no-op-re-add-replays")) return true;
    return cursor < standing.floor && !this.#broken("lower-re-add-ignored");
  }

  #remove(topic: string): void {
    const standing = this.#standings.get(topic);
    if (standing === undefined) return;
    this.#remembered.set(topic, standing.floor);
    if (this.#broken("remove-leaks-live") && standing.wave === undefined) return;
    if (!this.#broken("removed-stays-in-wave")) this.#leaveWave(topic);
    this.#standings.delete(topic);
  }

  #leaveWave(topic: string): void {
    const wave = this.#standings.get(topic)?.wave;
    wave?.topics.delete(topic);
    if (wave?.topics.size === 0 && this.#broken("wave-without-topics-unacked")) this.#waves.delete(wave.id);
  }

  #isTopic(topic: string): boolean {
    return topic.length > 1 && (topic.charCodeAt(0) <= 1 || this.#broken("unknown-kind-accepted"));
  }

  /** */
  #clashes({ historyOnly, removes }: Mutate, topic: string): boolean {
    const standing = this.#standings.get(topic);
    if (standing === undefined || removes.includes(topic)) return false;
    return historyOnly || standing.wave?.historyOnly === true;
  }

  /** */
  #overLimit({ adds }: Mutate): Refusal | undefined {
    const maxWaves = this.#broken("tight-waves") ? 10 : MAX_WAVES;
    if (adds.length > MAX_ADDS) return overLimit("adds per Mutate", MAX_ADDS, adds.length);
    const topics = this.#standings.size + adds.length;
    if (topics > MAX_TOPICS) return overLimit("topics per stream", MAX_TOPICS, topics);
    const startsWave = adds.length > 0 && this.#waves.size >= maxWaves;
    return startsWave ? overLimit("waves in flight", maxWaves, this.#waves.size + 1) : undefined;
  }
}

function hasRoom(rows: readonly Stored[]): boolean {
  return rows.length < FRAME_ROWS && rows.reduce((sum, { bytes }) => sum + bytes, 0) < FRAME_BYTES;
}

function badRequest(words: string): Refusal {
  return { kind: "badRequest", words };
}

function overLimit(what: string, limit: number, asked: number): Refusal {
  return { kind: "overLimit", words: `${what}: at most ${limit}, asked for ${asked}` };
}
