import { describe, expect, test } from "bun:test";
import { CoreStage } from "./core-stage";
import { parseScenario } from "./parse";
import { canPlay, play } from "./stage";

const parse = (...lines: string[]) => parseScenario(["# A title", ...lines].join("\n"));

describe("the language of scenarios", () => {
  test("a Mutate has an id, adds from cursors, removes, and may be history_only", () => {
    const { steps } = parse("mutate 3 history add a from 7, wb from 0 remove c, !00  # words");
    expect(steps).toEqual([
      {
        line: 2,
        kind: "act",
        action: {
          kind: "mutate",
          mutate: {
            id: 3n,
            historyOnly: true,
            adds: [
              { topic: "a", cursor: 7n },
              { topic: "wb", cursor: 0n },
            ],
            removes: ["c", "!00"],
          },
        },
      },
    ]);
  });

  test("a line that is not understood is named with what was wanted", () => {
    expect(() => parse("mutate a")).toThrow("line 2: wanted `mutate ID");
    expect(() => parse("", "insert 1")).toThrow('line 3: wanted `ID TOPIC`, found "1"');
    expect(() => parse("insert w1 a")).toThrow("of one kind");
    expect(() => parse("expect mesages wave=1 1")).toThrow("a frame");
    expect(() => parse("dance")).toThrow("an action");
    expect(() => parseScenario("expect started")).toThrow("a sentence that promises");
  });

  test("what takes a power must be declared, so that drivers without it can leave the scenario out", () => {
    expect(() => parse("evict")).toThrow("`needs evict` above");
    const scenario = parse("needs evict clock", "evict", "wait 5");
    expect(canPlay(scenario, ["clock"])).toBe(false);
    expect(canPlay(scenario, ["clock", "evict", "block"])).toBe(true);
  });
});

describe("a scenario that does not come true", () => {
  const failing: Record<string, readonly string[]> = {
    "line 4: wanted messages wave=1 2, found messages wave=1 1": [
      "have 1 a",
      "mutate 1 add a from 0",
      "expect messages wave=1 2",
    ],
    "line 2: wanted ping, found nothing": ["expect ping"],
    "wanted nothing, found messages wave=1 1": ["have 1 a", "mutate 1 add a from 0"],
    "line 3: wanted over finished, found over cancelled": ["cancel", "expect over finished"],
    "line 2: wanted over finished, but the stream goes on": ["expect over finished"],
    "line 2: 2 is not the next id of its kind": ["insert 2 a"],
  };

  for (const [message, lines] of Object.entries(failing)) {
    test(`fails with: ${message}`, async () => {
      const scenario = parse(...lines);
      await expect(play(scenario, new CoreStage(scenario))).rejects.toThrow(message);
    });
  }

  test("fails as well where frames may be cut otherwise", async () => {
    const scenario = parse("have 1 a, 2 a", "mutate 1 add a from 0", "expect messages wave=1 2 1");
    await expect(play(scenario, new CoreStage(scenario, false))).rejects.toThrow("found messages wave=1 1 2");
  });
});
