import type { ClientRequest, Positioned, ServerFrame } from "../../../src/core/connection/events";
import { LIVE, type Mutate } from "../../../src/core/frame";
import { GROUP, isTopic, KINDS, type Kind, kindOf, type Topic, WELCOME } from "../../../src/core/topic";
import type { Prng } from "../../support/prng";

/** The messages of a node: per kind ids from 1 without holes. */
export class ModelLog {
  readonly #rows: readonly [Positioned[], Positioned[]] = [[], []];

  append(topic: Topic): void {
    const kind = kindOf(topic);
    const rows = this.#rows[kind];
    rows.push({ kind, topic, id: BigInt(rows.length + 1) });
  }

  head(kind: Kind): bigint {
    return BigInt(this.#rows[kind].length);
  }

  /** Ids above `from`, up to `to`. */
  between(kind: Kind, from: bigint, to: bigint): readonly Positioned[] {
    return this.#rows[kind].slice(Number(from), Number(to));
  }

  idsOf(topic: Topic, above: bigint): readonly bigint[] {
    const rows = this.#rows[kindOf(topic)].filter((row) => row.topic === topic && row.id > above);
    return rows.map((row) => row.id);
  }
}

interface Registration {
  floor: bigint;
  readonly wave: ModelWave | undefined;
}

interface ModelWave {
  readonly id: bigint;
  readonly topics: readonly Topic[];
  readonly historyOnly: boolean;
  readonly ceilings: readonly [bigint, bigint];
  /** Per kind, the id up to which it has been read. */
  readonly at: [bigint, bigint];
}

/**
 * One stream of a node, as plainly as the protocol allows and as irregular as it permits: waves and live
 * interleave as chance will have it, in frames of chance sizes. Throws where a client breaks a rule.
 */
export class ModelStream {
  readonly #log: ModelLog;
  readonly #prng: Prng;
  readonly #topics = new Map<Topic, Registration>();
  readonly #waves = new Map<bigint, ModelWave>();
  readonly #said: ServerFrame<Positioned>[] = [];
  /** Per kind, the id up to which the live lane has been read. */
  readonly #live: [bigint, bigint];
  #halfClosed = false;
  #over = false;

  constructor(log: ModelLog, prng: Prng, keepaliveMs: number) {
    this.#log = log;
    this.#prng = prng;
    this.#live = [log.head(GROUP), log.head(WELCOME)];
    this.#said.push({ kind: "started", keepaliveMs });
  }

  receive(request: ClientRequest): void {
    if (this.#halfClosed) throw new Error("a client said something after its half-close");
    if (request.kind === "ping") this.#said.push({ kind: "pong", nonce: request.nonce });
    if (request.kind === "mutate") this.#mutate(request.mutate);
    if (request.kind === "halfClose") this.#halfClosed = true;
  }

  /** The next thing to say; `undefined`: nothing at this moment. "ok": the end after a half-close. */
  say(): ServerFrame<Positioned> | "ok" | undefined {
    const said = this.#said.shift();
    if (said !== undefined) return said;
    const waves = [...this.#waves.values()];
    if (this.#halfClosed && waves.length === 0) {
      if (this.#over) return undefined;
      this.#over = true;
      return "ok";
    }
    const kind = this.#prng.pick(KINDS);
    if (waves.length > 0 && this.#prng.chance(0.6)) return this.#scan(this.#prng.pick(waves), kind);
    return this.#liveFrame(kind);
  }

  #mutate(mutate: Mutate): void {
    if (this.#waves.has(mutate.id)) throw new Error(`R-13: a Mutate carries the id ${mutate.id} of a wave in flight`);
    if (mutate.id === 0n) throw new Error("R-12: a Mutate with adds needs an id");
    for (const topic of mutate.removes) if (isTopic(topic)) this.#topics.delete(topic);
    if (mutate.adds.length === 0) {
      this.#said.push({ kind: "catchupComplete", mutateId: mutate.id });
      return;
    }
    const ceilings = [this.#log.head(GROUP), this.#log.head(WELCOME)] as const;
    const topics = mutate.adds.flatMap(({ topic }) => (isTopic(topic) ? [topic] : []));
    const wave: ModelWave = { id: mutate.id, topics, historyOnly: mutate.historyOnly, ceilings, at: [0n, 0n] };
    for (const { topic, cursor } of mutate.adds) {
      if (!isTopic(topic)) throw new Error("R-6: an add of what is no topic");
      if (this.#topics.has(topic)) throw new Error("R-26, R-39: an add of a topic that is subscribed already");
      this.#topics.set(topic, { floor: cursor, wave });
    }
    this.#waves.set(wave.id, wave);
  }

  /** A stretch of a wave: up to its ceiling, then further until live cannot have passed it by. */
  #scan(wave: ModelWave, kind: Kind): ServerFrame<Positioned> | undefined {
    const end = wave.historyOnly || this.#prng.chance(0.5) ? wave.ceilings[kind] : this.#log.head(kind);
    const to = smallest(end, wave.at[kind] + BigInt(this.#prng.between(1, 6)));
    const messages = this.#take(kind, wave.at[kind], to, wave);
    if (to > wave.at[kind]) wave.at[kind] = to;
    if (messages.length > 0) return { kind: "messages", lane: wave.id, messages };
    const due = (of: Kind) => (wave.historyOnly ? wave.ceilings[of] : largest(wave.ceilings[of], this.#live[of]));
    if (KINDS.every((of) => wave.at[of] >= due(of))) return this.#complete(wave);
    if (!wave.historyOnly && wave.at[kind] >= wave.ceilings[kind]) return this.#fold(wave, kind, due(kind));
    return undefined;
  }

  #fold(wave: ModelWave, kind: Kind, to: bigint): ServerFrame<Positioned> | undefined {
    const messages = this.#take(kind, wave.at[kind], to, wave);
    if (to > wave.at[kind]) wave.at[kind] = to;
    return messages.length > 0 ? { kind: "messages", lane: wave.id, messages } : undefined;
  }

  #complete(wave: ModelWave): ServerFrame<Positioned> | undefined {
    const topics = wave.topics.filter((topic) => this.#topics.get(topic)?.wave === wave);
    for (const topic of topics) {
      const floor = this.#topics.get(topic)?.floor ?? 0n;
      if (wave.historyOnly) this.#topics.delete(topic);
      else this.#topics.set(topic, { floor: largest(floor, wave.at[kindOf(topic)]), wave: undefined });
    }
    this.#waves.delete(wave.id);
    if (topics.length > 0) this.#said.push({ kind: "topicsLive", topics });
    this.#said.push({ kind: "catchupComplete", mutateId: wave.id });
    return this.#said.shift();
  }

  #liveFrame(kind: Kind): ServerFrame<Positioned> | undefined {
    const to = smallest(this.#log.head(kind), this.#live[kind] + BigInt(this.#prng.between(1, 6)));
    const messages = this.#take(kind, this.#live[kind], to, undefined);
    this.#live[kind] = to;
    return messages.length > 0 ? { kind: "messages", lane: LIVE, messages } : undefined;
  }

  #take(kind: Kind, from: bigint, to: bigint, wave: ModelWave | undefined): readonly Positioned[] {
    return this.#log.between(kind, from, to).filter((message) => {
      const registration = this.#topics.get(message.topic);
      if (registration === undefined || registration.wave !== wave || message.id <= registration.floor) return false;
      registration.floor = message.id;
      return true;
    });
  }
}

function smallest(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function largest(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
