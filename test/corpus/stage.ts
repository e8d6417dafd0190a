import { type Action, type Expectation, type Power, type Scenario, type ShownFrame, showExpectation } from "./language";

/** Now or later: a stage in one process answers at once, one behind a socket takes its time. */
export type Soon<T> = T | Promise<T>;

/**
 * Where a scenario is played: the core alone, a router in memory, real sockets, the built program.
 *
 * A stage maps the scenario's names: message `3` is the third group message ever stored for it, whatever
 * id the store gave; a cursor is mapped alike.
 */
export interface Stage {
  readonly powers: readonly Power[];
  /** Whether frames can be compared one by one. If not, only what they say is, because a server may cut them otherwise. */
  readonly exactFrames: boolean;
  act(action: Action): Soon<void>;
  /** The next frame; `undefined` if none comes unless something new happens. */
  nextFrame(): Soon<ShownFrame | undefined>;
  /** How the stream ended; `undefined` if it has not. A remote stage waits for it first, within a bound. */
  ending(): Soon<{ readonly reason: string; readonly detail: string } | undefined>;
}

/** Whether a stage can play a scenario. */
export function canPlay(scenario: Scenario, powers: readonly Power[]): boolean {
  return scenario.needs.every((power) => powers.includes(power));
}

/** Plays a scenario and checks what it expects; at the end nothing unexpected may be left. @throws Error at the line that fails. */
export async function play(scenario: Scenario, stage: Stage): Promise<void> {
  const frames = new FrameReader(stage);
  for (const step of scenario.steps) {
    try {
      if (step.kind === "act") await stage.act(step.action);
      else await check(step.expectation, frames, stage);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`line ${step.line}: ${reason}`, { cause: error });
    }
  }
  if ((await stage.ending()) === undefined) await check({ kind: "nothing" }, frames, stage);
}

async function check(expectation: Expectation, frames: FrameReader, stage: Stage): Promise<void> {
  const wanted = showExpectation(expectation);
  if (expectation.kind !== "over") {
    const found = await frames.read(expectation);
    if (found !== wanted) throw new Error(`wanted ${wanted}, found ${found}`);
    return;
  }
  const leftover = await frames.read({ kind: "nothing" });
  if (leftover !== "nothing") throw new Error(`wanted ${wanted}, found ${leftover}`);
  const ending = await stage.ending();
  if (ending === undefined) throw new Error(`wanted ${wanted}, but the stream goes on`);
  if (ending.reason !== expectation.reason || !ending.detail.includes(expectation.detail)) {
    throw new Error(`wanted ${wanted}, found over ${ending.reason} ${ending.detail}`);
  }
}

/** Reads frames in the measure of what is expected: whole ones where they compare, as many messages as wanted elsewhere. */
class FrameReader {
  readonly #stage: Stage;
  #started = false;
  #left: ShownFrame | undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  /** What comes next, as text. Started is always the first frame and need not be expected. */
  async read(expectation: Expectation): Promise<string> {
    if (!this.#started) {
      const first = await this.#stage.nextFrame();
      if (first === undefined && (await this.#stage.ending()) !== undefined) return "nothing";
      if (first?.kind !== "started") throw new Error("wanted Started as the first frame (R-1)");
      this.#started = true;
      if (expectation.kind === "started") return "started";
    }
    if (expectation.kind === "messages" && !this.#stage.exactFrames) return await this.#readMessages(expectation);
    const frame = await this.#next();
    return frame === undefined ? "nothing" : showExpectation(frame);
  }

  async #next(): Promise<ShownFrame | undefined> {
    const left = this.#left;
    this.#left = undefined;
    return left ?? (await this.#stage.nextFrame());
  }

  /** Reads as many messages of the lane as are wanted; the kinds may be mixed otherwise. */
  async #readMessages(wanted: Extract<ShownFrame, { kind: "messages" }>): Promise<string> {
    const found: string[] = [];
    while (found.length < wanted.messages.length) {
      const frame = await this.#next();
      if (frame?.kind !== "messages" || frame.lane !== wanted.lane) {
        this.#left = frame;
        break;
      }
      const missing = wanted.messages.length - found.length;
      found.push(...frame.messages.slice(0, missing));
      const rest = frame.messages.slice(missing);
      if (rest.length > 0) this.#left = { ...frame, messages: rest };
    }
    const inWantedOrder = sameKindByKind(found, wanted.messages) ? wanted.messages : found;
    return showExpectation({ ...wanted, messages: inWantedOrder });
  }
}

function sameKindByKind(a: readonly string[], b: readonly string[]): boolean {
  const groups = (names: readonly string[]) => names.filter((name) => !name.startsWith("w")).join(" ");
  const welcomes = (names: readonly string[]) => names.filter((name) => name.startsWith("w")).join(" ");
  return groups(a) === groups(b) && welcomes(a) === welcomes(b);
}
