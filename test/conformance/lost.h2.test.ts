import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "../../src/cli/run";
import { TestIo } from "../cli/test-io";
import { startNodeInMemory } from "../client/node-in-memory";
import { until } from "../support/until";

const PATIENT = ["--patience", "60"];
/** More cases than are needed, none of which a machine that stands still can fail. */
const NOT_BY_TIME = "acks,ids,topics and cursors,waves and order,seam,mutations";

test("a node that ends in the middle of the cases: 2, words for that, and a report of what was run", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tideline-lost-"));
  const junit = join(directory, "report.xml");
  try {
    await using node = await startNodeInMemory({ keepaliveMs: 400 });
    const io = new TestIo();
    io.onOutput = () => {
      if (io.lines.length === 20) void node[Symbol.asyncDispose]();
    };
    const code = await run(
      ["conformance", node.address, "--json", "--junit", junit, ...PATIENT, "--group", NOT_BY_TIME],
      io,
    );
    expect(io.err).toContain(`the node at ${node.address} became unreachable in the middle`);
    expect(io.err).toContain("; under way was ");
    expect(io.err).not.toContain("report could not be written");
    expect(code).toBe(2);
    const verdicts = io.lines.map((line) => JSON.parse(line).verdict);
    expect(verdicts.length).toBeGreaterThanOrEqual(20);
    expect(new Set(verdicts)).toEqual(new Set(["passed"]));
    expect(readFileSync(junit, "utf8").match(/<testcase /g)?.length).toBe(verdicts.length);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("a node that ends in the middle of random scripts has broken no rule: 2, words for that, and how many were played", async () => {
  await using node = await startNodeInMemory({ keepaliveMs: 20_000 });
  const io = new TestIo();
  const running = run(["conformance", node.address, "--fuzz", "30", "--seed", "5", "--json"], io);
  await until(() => node.streams() > 6, "scripts to be under way");
  await node[Symbol.asyncDispose]();
  expect(await running).toBe(2);
  expect(io.err).toContain(`the node at ${node.address} became unreachable in the middle`);
  const [report] = io.lines.map((line) => JSON.parse(line));
  expect(report.failure).toBeUndefined();
  expect(report.loss).toContain("under way was seed ");
});

test("a report that cannot be written is told as that", async () => {
  await using node = await startNodeInMemory({ keepaliveMs: 400 });
  const io = new TestIo();
  const code = await run(
    ["conformance", node.address, ...PATIENT, "--case", "cursor-zero", "--junit", "/nowhere/report.xml"],
    io,
  );
  expect(io.err).toContain("the report could not be written");
  expect(code).toBe(1);
});
