import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wrapPayload } from "../../src/cli/payload";
import { run } from "../../src/cli/run";
import { type NodeInMemory, startNodeInMemory } from "../client/node-in-memory";
import { UnreliableRelay } from "../support/unreliable-relay";
import { TestIo } from "./test-io";

let node: NodeInMemory;
let folder: string;

beforeAll(async () => {
  node = await startNodeInMemory();
  folder = await mkdtemp(join(tmpdir(), "tideline-cli-"));
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function ran(argv: readonly string[], options: ConstructorParameters<typeof TestIo>[0] = {}) {
  const io = new TestIo({ ...options, env: { TIDELINE_ADDRESS: node.address } });
  return { code: await run(argv, io), io };
}

async function textsOf(topic: string): Promise<readonly unknown[]> {
  const { code, io } = await ran(["tail", "--history-only", "--json", topic]);
  expect(code).toBe(0);
  return io.json.flatMap((line) => (isMessage(line) ? [line.text] : []));
}

function isMessage(line: unknown): line is { readonly event: "message"; readonly text: unknown } {
  return typeof line === "object" && line !== null && "event" in line && line.event === "message";
}

describe("publish", () => {
  test("stores words, in order, and prints each once it is stored", async () => {
    const { code, io } = await ran(["publish", "--group", "words", "hello", "world"]);
    expect(code).toBe(0);
    expect(io.lines).toEqual(["stored 1  group:words  5 B", "stored 2  group:words  5 B"]);
    expect(io.err).toStartWith(`2 messages stored by ${node.address} in `);
    expect(await textsOf("group:words")).toEqual(["hello", "world"]);
  });

  test("stores the same words again as new messages", async () => {
    await ran(["publish", "--group", "again", "hello"]);
    await ran(["publish", "--group", "again", "hello"]);
    expect(await textsOf("group:again")).toEqual(["hello", "hello"]);
  });

  test("stores lines of stdin, also the last without a newline", async () => {
    const { io } = await ran(["publish", "--json", "--group", "0x00ff"], { stdin: ["one\ntw", "o\nthree"] });
    expect(io.json).toEqual([
      { stored: 1, topic: "group:0x00ff", bytes: 3 },
      { stored: 2, topic: "group:0x00ff", bytes: 3 },
      { stored: 3, topic: "group:0x00ff", bytes: 5 },
    ]);
    expect(await textsOf("0x0000ff")).toEqual(["one", "two", "three"]);
  });

  test("repeats by count and numbers what asks for it, in requests of many", async () => {
    const { io } = await ran(["publish", "--group", "count", "--count", "250", "tick {n}"]);
    expect(io.lines).toHaveLength(250);
    const texts = await textsOf("group:count");
    expect(texts).toEqual(Array.from({ length: 250 }, (_, i) => `tick ${i + 1}`));
  });

  test("keeps to a rate", async () => {
    const begun = performance.now();
    await ran(["publish", "--group", "rate", "--count", "6", "--rate", "50", "x"]);
    expect(performance.now() - begun).toBeGreaterThan(95);
    expect(await textsOf("group:rate")).toHaveLength(6);
  });

  test("takes a file for one message, newlines and all", async () => {
    const file = join(folder, "data");
    await writeFile(file, "a\nb\n");
    expect((await ran(["publish", "--group", "file", "--file", file])).io.lines).toHaveLength(1);
  });

  test("sends raw messages as they are, to the group that they name", async () => {
    const file = join(folder, "raw");
    await writeFile(file, wrapPayload(Buffer.from("named"), Buffer.from("inside")));
    expect((await ran(["publish", "--raw", "--file", file])).code).toBe(0);
    expect(await textsOf("group:named")).toEqual(["inside"]);
  });

  test("is told by the node what is wrong with raw bytes", async () => {
    const { code, io } = await ran(["publish", "--raw", "no MLS"]);
    expect(code).toBe(4);
    expect(io.out).toBe("");
    expect(io.err).toContain("did not store the message");
    expect(io.err).toContain("not an MLS PrivateMessage");
  });

  test("stores welcomes, wrapped, or raw from hex", async () => {
    const { io } = await ran(["publish", "--welcome", "0x0102", "hi"]);
    expect(io.lines).toEqual(["stored 1  welcome:0x0102  2 B"]);
    await ran(["publish", "--welcome", "0x0102", "--raw", "--hex", "0x6869"]);
    expect(await textsOf("welcome:0x0102")).toEqual(["hi", "hi"]);
  });

  test("stops between messages when it is interrupted, and says how far it got", async () => {
    const io = new TestIo({ env: { TIDELINE_ADDRESS: node.address } });
    io.onOutput = () => io.lines.length === 3 && io.interrupt("SIGINT");
    const code = await run(["publish", "--group", "stop", "--count", "1000", "--rate", "500", "x"], io);
    expect(code).toBe(130);
    expect(io.lines.length).toBeLessThan(1_000);
    expect(io.err).toContain("interrupted");
  });
});

describe("tail", () => {
  test("prints lanes and markers, history first, then what comes", async () => {
    await ran(["publish", "--group", "lanes", "old"]);
    const io = new TestIo({ env: { TIDELINE_ADDRESS: node.address } });
    const tail = run(["tail", "--count", "2", "group:lanes"], io);
    await written(io, "complete");
    await ran(["publish", "--group", "lanes", "new"]);
    expect(await tail).toBe(0);
    expect(io.lines.map((line) => line.replace(/#\d+ +\S+Z/, "#N T"))).toEqual([
      expect.stringMatching(/^wave 1 {3}group:lanes #N T {2}\d+ B {2}old$/),
      "-- live: group:lanes",
      "-- wave 1 complete: group:lanes",
      expect.stringMatching(/^live {5}group:lanes #N T {2}\d+ B {2}new$/),
    ]);
    expect(io.err).toBe(`connected to ${node.address}\n`);
  });

  test("begins above an id, and ends after a count to the message", async () => {
    await ran(["publish", "--group", "from", "--count", "5", "m{n}"]);
    const { io } = await ran(["tail", "--history-only", "--json", "group:from"]);
    const ids = io.json.flatMap((line) => (isMessage(line) && "id" in line ? [line.id] : []));
    const later = await ran(["tail", "--from", String(ids[1]), "--count", "2", "--json", "group:from"]);
    expect(later.io.json.filter(isMessage).map(({ text }) => text)).toEqual(["m3", "m4"]);
    expect(later.code).toBe(0);
  });

  test("prints JSON with markers, and data that is no text as base64 alone", async () => {
    await ran(["publish", "--group", "bytes", "--hex", "0xff00"]);
    const { io } = await ran(["tail", "--history-only", "--json", "group:bytes"]);
    const [message, live, complete] = io.json;
    expect(message).toMatchObject({ event: "message", lane: "1", topic: "group:bytes", id: expect.any(String) });
    expect(message).not.toHaveProperty("text");
    expect(live).toEqual({ event: "live", topics: ["group:bytes"] });
    expect(complete).toEqual({ event: "complete", wave: "1", topics: ["group:bytes"] });
  });

  test("ends in good order when it is interrupted", async () => {
    const io = new TestIo({ env: { TIDELINE_ADDRESS: node.address } });
    const tail = run(["tail", "group:quiet"], io);
    await written(io, "complete");
    io.interrupt("SIGINT");
    expect(await tail).toBe(130);
  });

  test("comes back when it is cut off", async () => {
    await using relay = await UnreliableRelay.before(node.port);
    const io = new TestIo({ env: { TIDELINE_ADDRESS: relay.address } });
    const tail = run(["tail", "--count", "1", "group:back"], io);
    await written(io, "complete");
    relay.cut();
    await ran(["publish", "--group", "back", "found again"]);
    expect(await tail).toBe(0);
    expect(io.err).toContain("lost the stream");
    expect(io.err).toContain("connected again");
    expect(io.out).toContain("found again");
  });
});

function written(io: TestIo, text: string): Promise<void> {
  return new Promise((resolve) => {
    io.onOutput = () => io.out.includes(text) && resolve();
    io.onOutput();
  });
}
