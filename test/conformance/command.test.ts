import { expect, test } from "bun:test";
import { run } from "../../src/cli/run";
import { CASES } from "../../src/conformance/catalogue";
import { TestIo } from "../cli/test-io";

async function ran(...argv: readonly string[]) {
  const io = new TestIo();
  const code = await run(["conformance", ...argv], io);
  return { code, out: io.out, err: io.err };
}

test("help says how exit code 2 is shared", async () => {
  const { code, out } = await ran("--help");
  expect(code).toBe(0);
  expect(out).toContain(
    "2    the node at URL could not be spoken to, or not to the end; or, as with every command, the command line is wrong",
  );
});

test("a node that is not there ends with 2, and says what to do", async () => {
  const { code, out, err } = await ran("127.0.0.1:1");
  expect(code).toBe(2);
  expect(out).toBe("");
  expect(err).toContain("cannot speak to a node at http://127.0.0.1:1");
});

test.each<[readonly string[], string]>([
  [[], "URL: wanted the address of a node"],
  [["not an address"], 'got "not an address"'],
  [["127.0.0.1:1", "--case", "cursor-zer"], "Did you mean cursor-zero?"],
  [["127.0.0.1:1", "--group", "seem"], "--group: wanted groups of cases"],
  [["127.0.0.1:1", "--group", "seam", "--case", "cursor-zero"], "wanted a case of the group"],
])("%p is a mistake, and nothing is done", async (argv, words) => {
  const { code, err } = await ran(...argv);
  expect(err).toContain(words);
  expect(code).toBe(2);
});

test("--list shows the cases without a node, as text or as JSON", async () => {
  const all = await ran("--list");
  expect(all.code).toBe(0);
  expect(all.out.trim().split("\n").length).toBe(CASES.length);
  const some = await ran("--list", "--json", "--group", "seam,waves and order");
  const groups = some.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).group);
  expect(new Set(groups)).toEqual(new Set(["seam", "waves and order"]));
});
