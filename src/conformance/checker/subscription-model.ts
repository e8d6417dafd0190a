import type { CloseReason } from "../../core/close";
import type { Add, Mutate } from "../../core/frame";
import { MAX_CURSOR, type StreamLimits } from "../../core/limits";
import { isTopic, type PerKind } from "../../core/topic";

/** A topic that one stream subscribes to, or replays for history only. */
export interface Standing {
  readonly topic: string;
  /** The cursor it was added with. */
  readonly cursor: bigint;
  /** the cursor at first, then the id delivered last. */
  floor: bigint;
  /** The wave it is gated by; `undefined` once it is live. */
  wave: Wave | undefined;
  /** Whether a TopicsLive has listed it. */
  announced: boolean;
}

/** What one Mutate set going. */
export interface Wave {
  readonly id: bigint;
  readonly historyOnly: boolean;
  /** Those that are still in it. */
  readonly standings: Set<Standing>;
  /** Per kind, the id up to which it must deliver: what was acked before it began. */
  due: PerKind<bigint>;
  /** Per kind, the id above which a history_only wave must not deliver, once that is known. */
  ceiling: PerKind<bigint> | undefined;
  /** Per kind, the id it delivered last. */
  last: PerKind<bigint>;
}

/** A reason to refuse a Mutate. `certain`: refusing is a duty; otherwise the rules leave it open. */
export interface Objection {
  readonly reason: CloseReason;
  readonly rule: string;
  readonly certain: boolean;
}

/** The subscription rules of one stream, as plainly as they can be said: slow, and written without looking at the core. */
export class SubscriptionModel {
  readonly standings = new Map<string, Standing>();
  readonly waves = new Map<bigint, Wave>();
  /** Ids whose ack is due at once, in the order in which they must come. */
  readonly acks: bigint[] = [];
  readonly #limits: StreamLimits;

  constructor(limits: StreamLimits) {
    this.#limits = limits;
  }

  /** Every reason to refuse a Mutate as things stand; empty = it must be accepted. Rates are not looked at. */
  objections(mutate: Mutate): readonly Objection[] {
    const found: Objection[] = [];
    const object = (rule: string, reason: CloseReason, certain = true) => void found.push({ reason, rule, certain });
    const topics = [...mutate.adds.map((add) => add.topic), ...mutate.removes];
    if (!topics.every(isTopic)) object("R-6", "badRequest");
    if (mutate.adds.some((add) => add.cursor > MAX_CURSOR)) object("R-9", "badRequest");
    if (mutate.adds.length > 0 && mutate.id === 0n) object("R-12", "badRequest");
    if (this.waves.has(mutate.id)) object("R-13", "badRequest");
    if (mutate.adds.some((add) => this.#clashes(mutate, add))) object("R-39", "badRequest");
    if (mutate.adds.length > this.#limits.addsPerMutate) object("R-49 adds", "overLimit");
    found.push(...this.#capObjections(mutate));
    return found;
  }

  /** Applies an accepted Mutate; `due` = per kind, the id up to which its wave must deliver. */
  apply(mutate: Mutate, due: PerKind<bigint>): void {
    const joining = this.#joining(mutate);
    for (const topic of mutate.removes) this.#drop(topic);
    if (joining.length === 0) {
      this.acks.push(mutate.id);
      return;
    }
    const wave: Wave = {
      id: mutate.id,
      historyOnly: mutate.historyOnly,
      standings: new Set(),
      due,
      ceiling: undefined,
      last: [0n, 0n],
    };
    this.waves.set(wave.id, wave);
    for (const { topic, cursor } of joining) {
      this.#drop(topic);
      const standing: Standing = { topic, cursor, floor: cursor, wave, announced: false };
      this.standings.set(topic, standing);
      wave.standings.add(standing);
    }
  }

  /** A model that goes on from here by itself. */
  fork(): SubscriptionModel {
    const model = new SubscriptionModel(this.#limits);
    const waves = new Map<Wave, Wave>();
    for (const [id, wave] of this.waves) {
      const copy = { ...wave, standings: new Set<Standing>() };
      waves.set(wave, copy);
      model.waves.set(id, copy);
    }
    for (const [topic, standing] of this.standings) {
      const wave = standing.wave === undefined ? undefined : waves.get(standing.wave);
      const copy = { ...standing, wave };
      wave?.standings.add(copy);
      model.standings.set(topic, copy);
    }
    model.acks.push(...this.acks);
    return model;
  }

  /** Ends a wave: its topics are live, or forgotten if it was for history only. */
  complete(wave: Wave): void {
    this.waves.delete(wave.id);
    for (const standing of wave.standings) {
      standing.wave = undefined;
      if (wave.historyOnly) this.standings.delete(standing.topic);
    }
  }

  /** The adds that join a wave once duplicates have coalesced and no-ops are gone. */
  #joining(mutate: Mutate): readonly Add[] {
    const lowest = new Map<string, bigint>();
    for (const { topic, cursor } of mutate.adds) {
      const known = lowest.get(topic);
      if (known === undefined || cursor < known) lowest.set(topic, cursor);
    }
    return [...lowest]
      .map(([topic, cursor]) => ({ topic, cursor }))
      .filter(({ topic, cursor }) => {
        const standing = this.standings.get(topic);
        return standing === undefined || mutate.removes.includes(topic) || cursor < standing.floor;
      });
  }

  #clashes(mutate: Mutate, add: Add): boolean {
    const standing = this.standings.get(add.topic);
    if (standing === undefined || mutate.removes.includes(add.topic)) return false;
    return mutate.historyOnly || standing.wave?.historyOnly === true;
  }

  /** Where the rules do not say what counts, both readings are accepted. */
  #capObjections(mutate: Mutate): readonly Objection[] {
    const kept = [...this.standings.values()].filter(({ topic }) => !mutate.removes.includes(topic));
    const subscribed = kept.filter((standing) => standing.wave?.historyOnly !== true).map(({ topic }) => topic);
    const after = new Set(subscribed);
    if (!mutate.historyOnly) for (const add of mutate.adds) after.add(add.topic);
    const found: Objection[] = [];
    if (after.size > this.#limits.topics) {
      found.push({ reason: "overLimit", rule: "R-49 topics", certain: true });
    } else if (this.standings.size + mutate.adds.length > this.#limits.topics) {
      found.push({ reason: "overLimit", rule: "R-49 topics", certain: false });
    }
    const joining = this.#joining(mutate);
    if (joining.length === 0) return found;
    const leaving = new Set([...mutate.removes, ...joining.map(({ topic }) => topic)]);
    const lasting = [...this.waves.values()].filter((wave) =>
      [...wave.standings].some(({ topic }) => !leaving.has(topic)),
    );
    if (this.waves.size >= this.#limits.waves) {
      found.push({ reason: "overLimit", rule: "R-49 waves", certain: lasting.length >= this.#limits.waves });
    }
    return found;
  }

  /** forgets the topic and takes it out of its wave. */
  #drop(topic: string): void {
    const standing = this.standings.get(topic);
    standing?.wave?.standings.delete(standing);
    this.standings.delete(topic);
  }
}
