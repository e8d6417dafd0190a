import {
  type Action,
  type Expectation,
  type LaneName,
  POWERS,
  type Power,
  powerOf,
  type Scenario,
  type ScenarioMutate,
  type Setting,
  type Step,
  type Stored,
} from "./language";

/** A scenario file that does not follow the language: which line, what was wanted, what was found. */
export class ScenarioError extends Error {
  constructor(line: number, wanted: string, found: string) {
    super(`line ${line}: wanted ${wanted}, found ${JSON.stringify(found)}`);
    this.name = "ScenarioError";
  }
}

/** Reads a scenario. @throws ScenarioError */
export function parseScenario(text: string): Scenario {
  const lines = text.split("\n").map((line, at) => new Line(at + 1, line));
  const title = lines[0]?.comment ?? "";
  if (title === "") throw new ScenarioError(1, "a comment with a sentence that promises", lines[0]?.text ?? "");
  const header = new Header();
  const steps: Step[] = [];
  for (const line of lines) {
    if (line.text === "" || header.take(line)) continue;
    steps.push(parseStep(line, header.needs));
  }
  return { title, rules: header.rules, needs: header.needs, setting: header.setting(), steps };
}

/** One line without its comment. */
class Line {
  readonly number: number;
  readonly text: string;
  readonly comment: string;
  readonly word: string;
  /** What stands behind the first word. */
  readonly rest: string;

  constructor(number: number, raw: string) {
    const [text = "", comment = ""] = split(raw, "#");
    this.number = number;
    this.text = text.trim();
    this.comment = comment.trim();
    const [word = "", rest = ""] = split(this.text, " ");
    this.word = word;
    this.rest = rest.trim();
  }

  error(wanted: string, found = this.text): ScenarioError {
    return new ScenarioError(this.number, wanted, found);
  }

  integer(text = this.rest): number {
    if (!/^\d+$/.test(text)) throw this.error("a whole number", text);
    return Number(text);
  }

  id(text = this.rest): bigint {
    if (!/^\d+$/.test(text)) throw this.error("an id", text);
    return BigInt(text);
  }

  list(text = this.rest): readonly string[] {
    return text === "" ? [] : text.split(",").map((item) => item.trim());
  }
}

class Header {
  readonly rules: string[] = [];
  readonly needs: Power[] = [];
  readonly #limits: Record<string, number> = {};
  #keepaliveMs: number | undefined;
  #stallMs: number | undefined;
  #pageRows: number | undefined;
  #have: readonly Stored[] = [];

  /** Takes a line that belongs to the header; `false` if it does not. */
  take(line: Line): boolean {
    switch (line.word) {
      case "rules":
        this.rules.push(...line.rest.split(/\s+/));
        return true;
      case "needs":
        for (const word of line.rest.split(/\s+/)) this.#need(line, word);
        return true;
      case "limits":
        for (const pair of line.rest.split(/\s+/)) this.#limit(line, pair);
        return true;
      case "keepalive":
        this.#keepaliveMs = line.integer();
        return true;
      case "stall":
        this.#stallMs = line.integer();
        return true;
      case "pagerows":
        this.#pageRows = line.integer();
        return true;
      case "have":
        this.#have = parseStored(line, line.rest);
        return true;
      default:
        return false;
    }
  }

  setting(): Setting {
    return {
      limits: this.#limits,
      keepaliveMs: this.#keepaliveMs,
      stallMs: this.#stallMs,
      pageRows: this.#pageRows,
      have: this.#have,
    };
  }

  #need(line: Line, word: string): void {
    if (!isPower(word)) throw line.error(`one of ${Object.keys(POWERS).join(", ")}`, word);
    this.needs.push(word);
  }

  #limit(line: Line, pair: string): void {
    const [name = "", value = ""] = split(pair, "=");
    this.#limits[name] = line.integer(value);
    if (!this.needs.includes("limits")) throw line.error("`needs limits` above");
  }
}

function parseStep(line: Line, needs: readonly Power[]): Step {
  if (line.word === "expect") return { line: line.number, kind: "expect", expectation: parseExpectation(line) };
  const action = parseAction(line);
  const power = powerOf(action);
  if (power !== undefined && !needs.includes(power)) throw line.error(`\`needs ${power}\` above`);
  return { line: line.number, kind: "act", action };
}

function parseAction(line: Line): Action {
  switch (line.word) {
    case "insert":
    case "elsewhere":
      return { kind: line.word, stored: parseStored(line, line.rest) };
    case "mutate":
      return { kind: "mutate", mutate: parseMutate(line) };
    case "ping":
      return { kind: "ping", nonce: line.id() };
    case "pong":
      return { kind: "pong", nonce: line.rest === "" ? undefined : line.id() };
    case "page":
    case "fail":
      return { kind: line.word, replay: line.integer() };
    case "stale": {
      const [replay = "", rest = ""] = split(line.rest, " ");
      return { kind: "stale", replay: line.integer(replay), stored: parseStored(line, rest) };
    }
    case "evict":
      return { kind: "evict", keep: line.rest === "" ? 0 : line.integer(line.rest.replace(/^keep /, "")) };
    case "wait":
      return { kind: "wait", ms: line.integer() };
    case "notice":
    case "malformed":
    case "halfclose":
    case "cancel":
    case "shutdown":
    case "look":
    case "block":
    case "progress":
    case "flush":
      return { kind: line.word };
    default:
      throw line.error("an action, `expect` or a header line");
  }
}

function parseExpectation(line: Line): Expectation {
  const [word = "", behind = ""] = split(line.rest, " ");
  const rest = behind.trim();
  switch (word) {
    case "messages": {
      const [lane = "", ...messages] = rest.split(/\s+/);
      return {
        kind: "messages",
        lane: parseLane(line, lane),
        messages: messages.map((name) => messageName(line, name)),
      };
    }
    case "live":
      return { kind: "live", topics: line.list(rest) };
    case "complete":
      return { kind: "complete", id: line.id(rest) };
    case "pong":
      return { kind: "pong", nonce: line.id(rest) };
    case "over": {
      const [reason = "", detail = ""] = split(rest, " ");
      return { kind: "over", reason, detail: detail.trim() };
    }
    case "started":
    case "ping":
    case "nothing":
      return { kind: word };
    default:
      throw line.error("a frame, `nothing` or `over`", word);
  }
}

/** `1 history add a from 0, b from 3 remove c, d` */
function parseMutate(line: Line): ScenarioMutate {
  const match = /^(\d+)( history)?(?: add (.*?))?(?: remove (.*))?$/.exec(line.rest);
  if (match === null) throw line.error("`mutate ID [history] [add TOPIC from ID, …] [remove TOPIC, …]`");
  const [, id = "", history, adds = "", removes = ""] = match;
  return {
    id: BigInt(id),
    historyOnly: history !== undefined,
    adds: line.list(adds).map((add) => {
      const [topic = "", from = "", cursor = ""] = add.split(" ");
      if (from !== "from") throw line.error("`TOPIC from ID`", add);
      return { topic, cursor: line.id(cursor) };
    }),
    removes: line.list(removes),
  };
}

/** `1 a, 2 b, w1 wa` */
function parseStored(line: Line, text: string): readonly Stored[] {
  return line.list(text).map((item) => {
    const [name = "", topic = ""] = item.split(" ");
    if (topic === "") throw line.error("`ID TOPIC`", item);
    const message = messageName(line, name);
    if (message.startsWith("w") !== topic.startsWith("w")) throw line.error("an id and a topic of one kind", item);
    return { message, topic };
  });
}

function parseLane(line: Line, text: string): LaneName {
  const match = /^wave=(\d+)$/.exec(text);
  if (match === null) throw line.error("`wave=ID`, 0 for live", text);
  return BigInt(match[1] ?? 0);
}

function messageName(line: Line, text: string): string {
  if (!/^w?[1-9]\d*$/.test(text)) throw line.error("an id, with a `w` in front for a welcome", text);
  return text;
}

function isPower(word: string): word is Power {
  return word in POWERS;
}

/** Splits at the first separator only. */
function split(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + separator.length)];
}
