import { describe, expect, test } from "bun:test";
import { ByteBudget, SharedBudget } from "../../src/serve/byte-budget";
import { Prng } from "../support/prng";

describe("what requests hold", () => {
  test("is bounded on each connection, in words that say by how much", () => {
    const budget = new ByteBudget(100, new SharedBudget(1_000));
    expect(budget.add(100)).toBeUndefined();
    expect(budget.add(1)).toBe(
      "wanted at most 100 bytes of unfinished requests on one connection, found more; finish some first, or open another connection",
    );
    expect(budget.add(-1)).toBeUndefined();
    expect(budget.add(0)).toBeUndefined();
  });

  test("leaves as much to the others as any one of them has, whoever came first", () => {
    const shared = new SharedBudget(1_000);
    const [greedy, late] = [new ByteBudget(1_000, shared), new ByteBudget(1_000, shared)];
    expect(greedy.add(500)).toBeUndefined();
    expect(greedy.add(1)).toBe(
      "wanted at most 1000 bytes of unfinished requests on all connections, and on one no more than are free; found 499 free, 501 here; try again later, or send less at once",
    );
    greedy.add(-1);
    expect(late.add(250)).toBeUndefined();
    expect(late.add(1)).toContain("found 249 free, 251 here");
    late.add(-251);
    greedy.add(-500);
    expect(shared.freeBytes).toBe(1_000);
    expect(late.add(500)).toBeUndefined();
  });

  test("never passes the bound of all, however many ask in whatever order, if who is refused lets go", () => {
    const prng = new Prng(7);
    const shared = new SharedBudget(100_000);
    const held = Array.from({ length: 300 }, () => ({ budget: new ByteBudget(50_000, shared), bytes: 0 }));
    let refused = 0;
    for (let step = 0; step < 20_000; step++) {
      const one = prng.pick(held);
      const bytes = 1 + prng.int(2_000);
      one.bytes += bytes;
      if (one.budget.add(bytes) !== undefined) {
        refused++;
        one.budget.add(-one.bytes);
        one.bytes = 0;
      }
      expect(shared.freeBytes).toBeGreaterThanOrEqual(0);
    }
    expect(refused).toBeGreaterThan(100);
  });

  test("is bounded by the machine's memory unless told: something, and no more than a gibibyte", () => {
    const { maxBytes } = new SharedBudget();
    expect(maxBytes).toBeGreaterThanOrEqual(64 * 2 ** 20);
    expect(maxBytes).toBeLessThanOrEqual(2 ** 30);
  });
});
