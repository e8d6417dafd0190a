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
  /** @throws ConformanceFailure if the server does otherwise; every stream it opened is checked afterwards. */
  run(node: NodeUnderTest): Promise<void>;
}

/** A case as its group's table has it. */
export type CaseOf = Omit<ConformanceCase, "group" | "level"> & { readonly level?: CaseLevel };

/** The cases of one group; `must` unless they say otherwise. */
export function casesOf(group: CaseGroup, cases: readonly CaseOf[]): readonly ConformanceCase[] {
  return cases.map((one) => ({ level: "must", ...one, group }));
}

/** The server did not do what was expected of it. */
export class ConformanceFailure extends Error {
  readonly expected: string;
  readonly got: string;

  constructor(expected: string, got: string) {
    super(`expected ${expected}; got ${got}`);
    this.name = "ConformanceFailure";
    this.expected = expected;
    this.got = got;
  }
}

/** Fails the case: what was expected, what was got instead. */
export function fail(expected: string, got: string): never {
  throw new ConformanceFailure(expected, got);
}

/** Fails the case unless `holds`. */
export function expectThat(holds: boolean, expected: string, got: string): asserts holds {
  if (!holds) fail(expected, got);
}

/** Fails the case unless both are the same, item by item. `what` names what is compared. */
export function expectSame<T extends bigint | number | string | boolean>(
  got: readonly T[],
  expected: readonly T[],
  what: string,
): void {
  const same = got.length === expected.length && got.every((item, at) => item === expected[at]);
  if (!same) fail(`${what} ${list(expected)}`, list(got));
}

function list(items: readonly unknown[]): string {
  const shown = items.slice(0, 20).map(String).join(", ");
  return `[${items.length > 20 ? `${shown}, … ${items.length} in all` : shown}]`;
}
