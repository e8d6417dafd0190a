import { describe, expect, test } from "bun:test";
import { EXIT } from "../../src/cli/exit";
import { run } from "../../src/cli/run";
import { TestIo } from "./test-io";

async function ran(argv: readonly string[], io = new TestIo()) {
  return { code: await run(argv, io), out: io.out, err: io.err };
}

describe("the command line", () => {
  test.each([[[]], [["help"]], [["--help"]], [["-h"]]])("%p prints what commands there are", async (argv) => {
    const { code, out, err } = await ran(argv);
    expect(code).toBe(0);
    expect(err).toBe("");
    for (const name of ["serve", "publish", "tail", "version"])
      expect(out).toMatch(new RegExp(`^ {2}${name} +\\S`, "m"));
    for (const exit of Object.values(EXIT)) expect(out).toContain(exit.sentence);
  });

  test.each(["serve", "publish", "tail", "version"])(
    "%s has help with flags, examples and exit codes",
    async (name) => {
      const asked = await ran([name, "--help"]);
      expect(asked).toEqual(await ran(["help", name]));
      expect(asked.code).toBe(0);
      for (const part of [`Usage: tideline ${name}`, "Flags", "--help", "Examples:", "Exit codes:"]) {
        expect(asked.out).toContain(part);
      }
    },
  );

  test("tells every example's flags truly", async () => {
    for (const name of ["serve", "publish", "tail"]) {
      const { out } = await ran(["help", name]);
      const [flags = "", examples = ""] = out.split("Examples:");
      for (const [flag] of examples.matchAll(/--[a-z-]+/g)) expect(flags).toContain(`  ${flag}`);
    }
  });

  test("says what version it is", async () => {
    expect((await ran(["version"])).out).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await ran(["--version"])).toEqual(await ran(["version"]));
  });

  test("knows near misses of its commands", async () => {
    const { code, out, err } = await ran(["tial"]);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toContain("did you mean `tideline tail`?");
    expect((await ran(["help", "frobnicate"])).err).toContain("see `tideline help`");
  });

  test("reports all mistakes of a command at once and does nothing", async () => {
    const io = new TestIo({ env: { TIDELINE_STALL: "1", DATABASE_URL: "mysql://someone:hunter2@h/d" } });
    const { code, out, err } = await ran(["serve", "--keepalive-ms", "50"], io);
    expect(code).toBe(2);
    expect(out).toBe("");
    expect(err).toStartWith("tideline serve: 3 mistakes, nothing was done\n");
    expect(err).toContain(
      "TIDELINE_STALL: wanted a variable of tideline; got an unknown one. Did you mean TIDELINE_STALL_MS?",
    );
    expect(err).toContain('--keepalive-ms: wanted a whole number from 100 to 30000 (ms); got "50"');
    expect(err).not.toContain("hunter2");
  });
});

describe("publish", () => {
  const cases: readonly (readonly [readonly string[], string])[] = [
    [["hello"], "--group or --welcome: wanted where to publish to; got neither"],
    [["--group", "a", "--welcome", "b", "x"], "--group and --welcome: wanted one of them; got both"],
    [["--group", "a", "--raw", "x"], "--group: wanted no group beside --raw; got one"],
    [["--group", "a", "--file", "f", "x"], "--file: wanted a file or DATA; got both"],
    [["--raw", "--count", "2", "x"], "--count: wanted no count beside --raw; got one"],
    [["--group", "a", "--hex", "zz"], '"zz": wanted hex as 0x00ff; got text'],
    [["--group", "00112233445566778899", "x"], "--group: wanted text as demo, or hex"],
    [["--group", "a", "--rate", "0", "x"], "--rate: wanted a number per second above 0"],
  ];
  test.each(cases)("%p is refused before anything is sent", async (argv, said) => {
    const { code, err } = await ran(["publish", "--address", "127.0.0.1:1", ...argv]);
    expect(err).toContain(said);
    expect(code).toBe(2);
  });

  test("to a node that is not there ends with a code of its own, and says what to do", async () => {
    const { code, out, err } = await ran(["publish", "--address", "127.0.0.1:1", "--group", "demo", "x"]);
    expect(code).toBe(3);
    expect(out).toBe("");
    expect(err).toContain("cannot reach the node at http://127.0.0.1:1");
    expect(err).toContain("tideline serve");
  });

  test("of a file that is not there says so", async () => {
    const { code, err } = await ran(["publish", "--group", "demo", "--file", "/no/such/file"]);
    expect(code).toBe(1);
    expect(err).toContain("cannot read /no/such/file");
  });
});

describe("tail", () => {
  test("wants topics, and says how they are written", async () => {
    expect((await ran(["tail"])).err).toContain("wanted at least one topic; got none");
    const { code, err } = await ran(["tail", "demo", "0x05ab", "group:"]);
    expect(code).toBe(2);
    expect(err).toStartWith("tideline tail: 3 mistakes");
    expect(err).toContain("Did you mean group:demo?");
  });

  test.each([[[]], [["--history-only"]]])("%p of a node that is not there does not wait for ever", async (flags) => {
    const { code, err } = await ran(["tail", "--address", "127.0.0.1:1", "group:demo", ...flags]);
    expect(code).toBe(3);
    expect(err).toContain("cannot reach the node");
  });
});
