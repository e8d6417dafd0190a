import { expect, test } from "bun:test";
import { readLines } from "../../src/cli/lines";

async function* input(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function linesOf(...texts: readonly string[]): Promise<readonly (readonly string[])[]> {
  const batches: string[][] = [];
  for await (const lines of readLines(input(...texts), 100, new AbortController().signal)) {
    batches.push(lines.map((line) => Buffer.from(line).toString()));
  }
  return batches;
}

test("lines that arrive together come together, wherever the input is cut", async () => {
  expect(await linesOf("a\nb\nc", "d\n", "\ne\n")).toEqual([["a", "b"], ["cd"], ["", "e"]]);
});

test("the last line needs no newline, and nothing is no line", async () => {
  expect(await linesOf("a\nb")).toEqual([["a"], ["b"]]);
  expect(await linesOf()).toEqual([]);
  expect(await linesOf("")).toEqual([]);
});

test("a line without end is refused rather than kept", async () => {
  expect(linesOf("x".repeat(60), "x".repeat(60))).rejects.toThrow("a line of at least 120 bytes; at most 100");
});

test("an interrupted reader does not wait for its input", async () => {
  const stop = new AbortController();
  async function* never(): AsyncGenerator<Uint8Array> {
    yield Buffer.from("a\n");
    await new Promise(() => {});
  }
  const lines = readLines(never(), 100, stop.signal);
  expect((await lines.next()).value).toHaveLength(1);
  const pending = lines.next();
  stop.abort();
  expect(await pending).toEqual({ done: true, value: undefined });
});
