/** How a case says what it expected and did not get. */

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
