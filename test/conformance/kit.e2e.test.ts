import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CASES } from "../../src/conformance/catalogue";
import { QUIET_SETTINGS, ServeProcess } from "../support/serve-process";

const ROOT = join(import.meta.dir, "../..");
const TIDELINE = [process.execPath, "src/main.ts"];

test("tideline conformance passes whole against tideline serve, and reports as it is asked to", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tideline-conformance-"));
  try {
    const env = {
      PATH: process.env["PATH"],
      ...QUIET_SETTINGS,
      TIDELINE_DATA_DIR: join(directory, "data"),
      TIDELINE_KEEPALIVE_MS: "1000",
    };
    await using server = await ServeProcess.start({ command: [...TIDELINE, "serve"], env });
    const junit = join(directory, "report.xml");
    const kit = Bun.spawn([...TIDELINE, "conformance", server.serving.grpc, "--strict", "--json", "--junit", junit], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"] },
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([kit.stdout.text(), kit.stderr.text(), kit.exited]);
    const lines = out.trim().split("\n");
    expect(lines.filter((line) => !line.includes('"verdict":"passed"'))).toEqual([]);
    expect(err).toContain(`${CASES.length} cases`);
    expect(code).toBe(0);
    const report = await Bun.file(junit).text();
    expect(report.split("<testcase ").length - 1).toBe(CASES.length);
    expect(report).not.toContain("<failure");
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
