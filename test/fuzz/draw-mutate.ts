import type { InvariantChecker } from "../../src/conformance/checker/invariants";
import type { Add, Mutate } from "../../src/core/frame";
import { MAX_CURSOR } from "../../src/core/limits";
import { kindOf, type Topic } from "../../src/core/topic";
import type { Prng } from "../support/prng";
import type { Scenario } from "./scenario";
import type { World } from "./world";

const ATTEMPTS = 8;

/** Draws the Mutates of a client, given what it has subscribed to so far. */
export class MutateSource {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #checker: InvariantChecker;

  constructor(scenario: Scenario, world: World, checker: InvariantChecker) {
    this.#scenario = scenario;
    this.#world = world;
    this.#checker = checker;
  }

  /** A Mutate that breaks no rule if that can be had in a few attempts; a careless client does not even try. */
  draw(random: Prng): Mutate {
    let mutate = this.#attempt(random);
    for (let i = 1; i < ATTEMPTS; i++) {
      if (!this.#scenario.careful && random.chance(0.1)) return mutate;
      if (this.#checker.model.objections(mutate).length === 0) return mutate;
      mutate = this.#attempt(random);
    }
    return this.#checker.model.objections(mutate).length === 0 ? mutate : { ...NOTHING, id: 0n };
  }

  /** A Mutate that must be refused, with something in it that must leave no trace. */
  drawBad(random: Prng): Mutate {
    const good = this.draw(random);
    const known = random.pick(this.#scenario.topics);
    const add = (topic: string, cursor = 0n): Add => ({ topic, cursor });
    const id = good.id === 0n ? 999n : good.id;
    const busy = [...this.#checker.model.waves.keys()];
    switch (random.pick(["topic", "remove", "zero", "cursor", "busy", "history", "during"])) {
      case "topic":
        return { ...good, id, adds: [...good.adds, add(random.pick(["", "\0", "\x01", "\x02a", "\x7fz"]))] };
      case "remove":
        return { ...good, removes: [...good.removes, random.pick(["", "\0", "\x01", "\x02a"])] };
      case "zero":
        return { ...good, id: 0n, adds: [...good.adds, add(known)] };
      case "busy":
        return busy.length === 0 ? { ...good, id: 0n, adds: [add(known)] } : { ...good, id: random.pick(busy) };
      case "history":
        return { ...good, id, adds: this.#subscribed().map((topic) => add(topic)), removes: [], historyOnly: true };
      case "during":
        return { ...good, id, adds: this.#replayed().map((topic) => add(topic)), removes: [], historyOnly: false };
      default:
        return { ...good, id, adds: [...good.adds, add(known, MAX_CURSOR + 1n)] };
    }
  }

  #attempt(random: Prng): Mutate {
    const { topics } = this.#scenario;
    const some = (most: number) => Array.from({ length: random.int(most + 1) }, () => random.pick(topics));
    const removes: Topic[] = random.chance(0.45) ? some(3) : [];
    const targets = random.chance(0.85) ? some(4) : [];
    if (random.chance(0.2)) targets.push(...removes);
    const historyOnly = random.chance(0.2);
    return {
      id: this.#drawId(random, targets.length > 0),
      adds: targets.map((topic) => ({ topic, cursor: this.#drawCursor(random, topic) })),
      removes,
      historyOnly,
    };
  }

  /** Few ids on purpose, so that they are reused; zero where that is allowed. */
  #drawId(random: Prng, hasAdds: boolean): bigint {
    if (!hasAdds && random.chance(0.4)) return 0n;
    return random.chance(0.05) ? (1n << 64n) - 1n : BigInt(random.between(1, 9));
  }

  /** Around the places where something changes: the start, the floor, the head. */
  #drawCursor(random: Prng, topic: Topic): bigint {
    const kind = kindOf(topic);
    const head = this.#world.truth.heads[kind];
    const floor = this.#checker.model.standings.get(topic)?.floor ?? head / 2n;
    const near = (id: bigint) => id + BigInt(random.between(-3, 2));
    const cursor = random.chance(0.01)
      ? MAX_CURSOR
      : random.pick([0n, near(floor), floor, near(head), head, BigInt(random.int(Number(head) + 1))]);
    return cursor < 0n ? 0n : cursor;
  }

  #subscribed(): readonly string[] {
    const standings = [...this.#checker.model.standings.values()];
    return standings.filter((standing) => standing.wave?.historyOnly !== true).map((standing) => standing.topic);
  }

  #replayed(): readonly string[] {
    const standings = [...this.#checker.model.standings.values()];
    return standings.filter((standing) => standing.wave?.historyOnly === true).map((standing) => standing.topic);
  }
}

const NOTHING: Mutate = { id: 0n, adds: [], removes: [], historyOnly: false };
