import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { type NodeInMemory, startNodeInMemory } from "../client/node-in-memory";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const STUBBORN = join(import.meta.dir, "stubborn-program.ts");

let node: NodeInMemory;
const running: Bun.Subprocess[] = [];

beforeAll(async () => {
  node = await startNodeInMemory();
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
});

afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

function spawn(argv: readonly string[]) {
  const child = Bun.spawn([process.execPath, ...argv], {
    env: { PATH: "/usr/bin:/bin", TIDELINE_ADDRESS: node.address },
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  running.push(child);
  return { child, out: new Reading(child.stdout), err: new Reading(child.stderr) };
}

/** What a program has written so far, to be waited for. */
class Reading {
  readonly #chunks: AsyncIterator<Uint8Array>;
  text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async until(wanted: string): Promise<void> {
    while (!this.text.includes(wanted)) {
      if (!(await this.#more())) throw new Error(`it ended without ${JSON.stringify(wanted)}: ${this.text}`);
    }
  }

  async all(): Promise<string> {
    while (await this.#more());
    return this.text;
  }

  /** Reads no more: the program gets EPIPE. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (!next.done) this.text += Buffer.from(next.value).toString();
    return !next.done;
  }
}

test("a program without arguments prints its help and ends well", async () => {
  const { child, out } = spawn([MAIN]);
  expect(await out.all()).toContain("Usage: tideline COMMAND");
  expect(await child.exited).toBe(0);
});

test("a mistake goes to stderr, with its exit code", async () => {
  const { child, out, err } = spawn([MAIN, "tail"]);
  expect(await err.all()).toContain("tideline tail: a mistake");
  expect(await out.all()).toBe("");
  expect(await child.exited).toBe(2);
});

test("lines typed into publish are stored as they come, and its end of input ends it", async () => {
  const { child, out, err } = spawn([MAIN, "publish", "--group", "typed"]);
  child.stdin.write("one\n");
  await child.stdin.flush();
  await out.until("stored 1");
  child.stdin.write("two");
  await child.stdin.end();
  await out.until("stored 2");
  expect(await child.exited).toBe(0);
  expect(await err.all()).toContain("2 messages stored");
});

test("Ctrl-C ends a publish that waits for input, and a tail that waits for messages, with 130", async () => {
  const publish = spawn([MAIN, "publish", "--group", "typed"]);
  publish.child.stdin.write("one\n");
  await publish.child.stdin.flush();
  await publish.out.until("stored 1");
  publish.child.kill("SIGINT");
  const tail = spawn([MAIN, "tail", "group:quiet"]);
  await tail.out.until("complete");
  tail.child.kill("SIGINT");
  expect(await publish.child.exited).toBe(130);
  expect(await tail.child.exited).toBe(130);
});

test("a second Ctrl-C ends on the spot what does not heed the first", async () => {
  const { child, out } = spawn([STUBBORN]);
  await out.until("running");
  child.kill("SIGINT");
  await out.until("asked to end by SIGINT");
  child.kill("SIGINT");
  expect(await child.exited).toBe(130);
});

test("a reader that goes away ends the program quietly, as it ends others", async () => {
  const { child, out, err } = spawn([MAIN, "publish", "--group", "pipe", "--count", "1000000", "--rate", "1000", "x"]);
  await out.until("stored 1");
  await out.close();
  expect(await child.exited).toBe(141);
  expect(await err.all()).not.toContain("EPIPE");
});

test("everything printed arrives before the program ends, however much it is", async () => {
  const publish = spawn([MAIN, "publish", "--group", "much", "--count", "5000", `${"x".repeat(500)} {n}`]);
  expect((await publish.out.all()).trim().split("\n")).toHaveLength(5_000);
  const tail = spawn([MAIN, "tail", "--history-only", "--json", "group:much"]);
  await tail.err.until("connected");
  const lines = (await tail.out.all()).trim().split("\n");
  expect(lines).toHaveLength(5_002);
  expect(lines.at(-1)).toContain('"complete"');
  expect(await tail.child.exited).toBe(0);
});
