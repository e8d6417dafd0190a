/** The language of scenarios: what may stand in a `.scenario` file, once it is read. See README.md for the textual form. */

/** What a scenario may need beyond the protocol itself; a driver that lacks a power leaves the scenario out. */
export const POWERS = {
  limits: "the stream's limits can be set",
  pages: "replays, and looks, go on only when the scenario says so",
  elsewhere: "messages can be stored that this node has not noticed yet",
  evict: "the tail can be made to forget",
  block: "the wire can be made full",
  clock: "time passes when the scenario says so",
  fail: "a replay can be made to fail",
} as const;
export type Power = keyof typeof POWERS;

/** A topic by its name in the scenario: `a` is a group, a name with `w` in front a welcome topic, `!00ff` are raw bytes in hex. */
export type TopicName = string;

/** A message by its number in its kind's sequence: `3` of the groups, `w3` of the welcomes. The first ever stored is 1. */
export type MessageName = string;

export interface Stored {
  readonly message: MessageName;
  readonly topic: TopicName;
}

export interface ScenarioMutate {
  readonly id: bigint;
  readonly historyOnly: boolean;
  readonly adds: readonly { readonly topic: TopicName; readonly cursor: bigint }[];
  readonly removes: readonly TopicName[];
}

/** The lane of messages: a wave by its id, or 0 for live. */
export type LaneName = bigint;

/** Something done to the stream or to the world around it. */
export type Action =
  /** Stored and noticed by the node in one go. */
  | { readonly kind: "insert"; readonly stored: readonly Stored[] }
  /** Stored by another node; this one has not noticed. */
  | { readonly kind: "elsewhere"; readonly stored: readonly Stored[] }
  /** The node notices everything stored elsewhere. */
  | { readonly kind: "notice" }
  | { readonly kind: "mutate"; readonly mutate: ScenarioMutate }
  | { readonly kind: "ping"; readonly nonce: bigint }
  /** Answers the server's last Ping, or some other nonce. */
  | { readonly kind: "pong"; readonly nonce: bigint | undefined }
  /** Bytes that are no request. */
  | { readonly kind: "malformed" }
  | { readonly kind: "halfclose" }
  | { readonly kind: "cancel" }
  | { readonly kind: "shutdown" }
  /** Hands over the next page of a replay. Looks and replays are numbered in the order in which they were asked for. */
  | { readonly kind: "page"; readonly replay: number }
  /** Hands over a last page with these messages for a replay that is over. */
  | { readonly kind: "stale"; readonly replay: number; readonly stored: readonly Stored[] }
  /** Answers every look that was asked for. */
  | { readonly kind: "look" }
  | { readonly kind: "fail"; readonly replay: number }
  /** The tail forgets all but its newest `keep` messages. */
  | { readonly kind: "evict"; readonly keep: number }
  | { readonly kind: "block" }
  | { readonly kind: "progress" }
  | { readonly kind: "flush" }
  | { readonly kind: "wait"; readonly ms: number };

/** A frame in the scenario's terms. */
export type ShownFrame =
  | { readonly kind: "started" }
  | { readonly kind: "messages"; readonly lane: LaneName; readonly messages: readonly MessageName[] }
  | { readonly kind: "live"; readonly topics: readonly TopicName[] }
  | { readonly kind: "complete"; readonly id: bigint }
  | { readonly kind: "ping" }
  | { readonly kind: "pong"; readonly nonce: bigint };

export type Expectation =
  | ShownFrame
  /** No frame comes any more unless something new happens. */
  | { readonly kind: "nothing" }
  /** The stream ends with this reason; its detail contains the text. */
  | { readonly kind: "over"; readonly reason: string; readonly detail: string };

export type Step = { readonly line: number } & (
  | { readonly kind: "act"; readonly action: Action }
  | { readonly kind: "expect"; readonly expectation: Expectation }
);

/** The fixed part of a scenario. */
export interface Setting {
  /** Values of limits that differ from the defaults, by their name in `StreamLimits`. */
  readonly limits: Readonly<Record<string, number>>;
  readonly keepaliveMs: number | undefined;
  readonly stallMs: number | undefined;
  /** Messages in a page of a replay. */
  readonly pageRows: number | undefined;
  /** Stored before the stream is opened. */
  readonly have: readonly Stored[];
}

export interface Scenario {
  /** A sentence that promises. */
  readonly title: string;
  /** Rules and invariants it proves. */
  readonly rules: readonly string[];
  readonly needs: readonly Power[];
  readonly setting: Setting;
  readonly steps: readonly Step[];
}

/** The power an action takes, if it takes one. */
export function powerOf(action: Action): Power | undefined {
  switch (action.kind) {
    case "page":
    case "stale":
    case "look":
      return "pages";
    case "elsewhere":
    case "notice":
      return "elsewhere";
    case "evict":
      return "evict";
    case "block":
    case "progress":
    case "flush":
      return "block";
    case "wait":
      return "clock";
    case "fail":
      return "fail";
    default:
      return undefined;
  }
}

/** A frame or another expectation as it would stand behind `expect`. */
export function showExpectation(expectation: Expectation): string {
  switch (expectation.kind) {
    case "messages":
      return `messages wave=${expectation.lane} ${expectation.messages.join(" ")}`;
    case "live":
      return `live ${expectation.topics.join(", ")}`;
    case "complete":
      return `complete ${expectation.id}`;
    case "pong":
      return `pong ${expectation.nonce}`;
    case "over":
      return `over ${expectation.reason} ${expectation.detail}`.trim();
    case "started":
    case "ping":
    case "nothing":
      return expectation.kind;
    default:
      return expectation satisfies never;
  }
}
