import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { CoreStage } from "./core-stage";
import { parseScenario } from "./parse";
import { play } from "./stage";

const files = readdirSync(import.meta.dir)
  .filter((name) => name.endsWith(".scenario"))
  .sort();

describe("the scenarios, played by the core alone", () => {
  for (const file of files) {
    const scenario = parseScenario(readFileSync(join(import.meta.dir, file), "utf8"));
    test(`${scenario.title} (${scenario.rules.join(", ")}; ${file})`, async () => {
      await play(scenario, new CoreStage(scenario));
    });
    test(`${file}: also when frames may be cut otherwise`, async () => {
      await play(scenario, new CoreStage(scenario, false));
    });
  }

  test("there are at least forty", () => {
    expect(files.length).toBeGreaterThanOrEqual(40);
  });
});
