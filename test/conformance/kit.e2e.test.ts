import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CASES } from "../../src/conformance/catalogue";
import { QUIET_SETTINGS, ServeProcess } from "../support/serve-process";
import { PATIENCE_MS } from "../support/until";
import { notPassed, type Outcome } from "./not-passed";

const ROOT = join(import.meta.dir, "../..");
const TIDELINE = [process.execPath, "src/main.ts"];

/** Runs the kit as a program. */
async function runKit(args: readonly string[]): Promise<{ outcomes: Outcome[]; err: string; code: number }> {
  const common = ["conformance", "--strict", "--json", "--patience", `${PATIENCE_MS / 1_000}`];
  const kit = Bun.spawn([...TIDELINE, ...common, ...args], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] },
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([kit.stdout.text(), kit.stderr.text(), kit.exited]);
  const lines = out.split("\n").filter((line) => line !== "");
  const outcomes = lines.map((line) => JSON.parse(line)).map((told) => ({ ...told, id: told.case }));
  return { outcomes, err, code };
}

test("tideline conformance passes whole against tideline serve, and reports as it is asked to", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tideline-conformance-"));
  try {
    const env = {
      PATH: process.env["PATH"],
      ...QUIET_SETTINGS,
      TIDELINE_DATA_DIR: join(directory, "data"),
      TIDELINE_KEEPALIVE_MS: "2000",
    };
    await using server = await ServeProcess.start({ command: [...TIDELINE, "serve"], env });
    const junit = join(directory, "report.xml");
    const address = server.serving.grpc;
    const failed = await notPassed(async (ids) => {
      const some = ids === undefined ? ["--junit", junit] : ["--case", ids.join(",")];
      const { outcomes, err, code } = await runKit([address, ...some]);
      expect(err).toContain(`${ids?.length ?? CASES.length} cases`);
      expect(code).toBe(outcomes.every(({ verdict }) => verdict === "passed") ? 0 : 1);
      return outcomes;
    });
    expect(failed).toEqual([]);
    const report = await Bun.file(junit).text();
    expect(report.split("<testcase ").length - 1).toBe(CASES.length);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
