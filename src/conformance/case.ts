import type { NodeUnderTest } from "./client/node";

/** What a case is about. In the order in which they are run and shown. */
export const CASE_GROUPS = [
  "opening",
  "acks",
  "ids",
  "topics and cursors",
  "waves and order",
  "seam",
  "mutations",
  "history_only",
  "liveness",
  "half-close",
  "limits",
  "unary",
  "identities",
  "legacy streams",
  "hostile input",
] as const;

export type CaseGroup = (typeof CASE_GROUPS)[number];

/**
 * `must`: a server that does otherwise breaks the protocol.
 * `strict`: the text leaves it open, or servers are known to decide differently; doing otherwise is labelled, not failed.
 */
export type CaseLevel = "must" | "strict";

/** One promise of the protocol, held against a server. */
export interface ConformanceCase {
  /** In kebab-case, unique, never changed once published. */
  readonly id: string;
  readonly group: CaseGroup;
  /** Rules of docs/protocol.md, as R-19. */
  readonly rules: readonly string[];
  readonly level: CaseLevel;
  /** What the server does, in one sentence. */
  readonly promise: string;
  /** It lasts several keepalive intervals: left out where those are long, unless asked for. */
  readonly slow?: true;
  /** How many times longer than others its steps may take, because they move megabytes. Once unless told. */
  readonly patience?: number;
  /** @throws ConformanceFailure if the server does otherwise; every stream it opened is checked afterwards. */
  run(node: NodeUnderTest): Promise<void>;
}

/** A case as its group's table has it. */
export type CaseOf = Omit<ConformanceCase, "group" | "level"> & { readonly level?: CaseLevel };

/** The cases of one group; `must` unless they say otherwise. */
export function casesOf(group: CaseGroup, cases: readonly CaseOf[]): readonly ConformanceCase[] {
  return cases.map((one) => ({ level: "must", ...one, group }));
}
