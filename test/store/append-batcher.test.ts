import { expect, test } from "bun:test";
import { Batcher, type BatcherLimits } from "../../src/store/batcher";
import { StoreError } from "../../src/store/error";
import type { NewMessage } from "../../src/store/types";
import { VirtualClock } from "../support/virtual-clock";
import { message, rejection, textOf, upTo } from "./store-fixtures";

const ROOMY: BatcherLimits = {
  batch: { rows: 100, bytes: 100_000 },
  aheadRows: 1_000,
  queue: { rows: 1_000, bytes: 1_000_000, requests: 1_000 },
  patienceMs: 1_000,
};

/** A store that finishes each batch when the test says so, and refuses whatever contains "bad". */
function harness(limits: BatcherLimits = ROOMY) {
  const clock = new VirtualClock();
  const sent: string[] = [];
  const open: { readonly succeed: () => void; readonly fail: (error: StoreError) => void }[] = [];
  let [newest, most] = [0n, 0];
  const store = async (messages: readonly NewMessage[]): Promise<readonly bigint[]> => {
    const texts = messages.map(({ body }) => textOf(body));
    sent.push(texts.join(" "));
    const answer = Promise.withResolvers<void>();
    open.push({ succeed: answer.resolve, fail: answer.reject });
    most = Math.max(most, open.length);
    await answer.promise;
    if (texts.some((text) => text.startsWith("bad"))) throw new StoreError("refused", "one of them is bad");
    return messages.map(() => ++newest);
  };
  const batcher = new Batcher(limits, clock, store);
  const add = (...texts: string[]) => batcher.add(texts.map((text) => message("t", text)));
  /** Ends the batch in flight, and lets everything happen that follows from it. */
  const end = async (how: "succeed" | StoreError = "succeed") => {
    await clock.advanceAsync(0);
    const batch = open.shift();
    if (batch === undefined) throw new Error("no batch is in flight");
    if (how === "succeed") batch.succeed();
    else batch.fail(how);
    await clock.advanceAsync(0);
  };
  return { batcher, add, end, sent, clock, inFlight: () => open.length, mostInFlight: () => most };
}

test("a request that comes alone goes out alone and at once", async () => {
  const { add, end, sent, clock } = harness();
  const ids = add("1", "2");
  await clock.advanceAsync(0);
  expect(sent).toEqual(["1 2"]);
  await end();
  expect(await ids).toEqual([1n, 2n]);
});

test("what comes while a batch is in flight, and is too little for another, goes out together and in order when that is stored", async () => {
  const { add, end, sent, clock, mostInFlight } = harness();
  const first = add("1");
  await clock.advanceAsync(0);
  const others = [add("2"), add("3", "4"), add("5")];
  await end();
  expect(sent).toEqual(["1", "2 3 4 5"]);
  await end();
  expect(await first).toEqual([1n]);
  expect(await Promise.all(others)).toEqual([[2n], [3n, 4n], [5n]]);
  expect(mostInFlight()).toBe(1);
});

test("what is worth a commit of its own is sent behind the batch in flight, and no third one behind that", async () => {
  const { add, end, sent, clock, mostInFlight } = harness({ ...ROOMY, aheadRows: 3 });
  const all = [add("1")];
  await clock.advanceAsync(0);
  all.push(add("2"), add("3"));
  await clock.advanceAsync(0);
  expect(sent).toEqual(["1"]);
  all.push(add("4"));
  await clock.advanceAsync(0);
  expect(sent).toEqual(["1", "2 3 4"]);
  all.push(add("5"), add("6"), add("7", "8"), add("9"));
  await clock.advanceAsync(0);
  expect(sent).toHaveLength(2);
  await end();
  expect(sent.slice(2)).toEqual(["5 6 7 8 9"]);
  await end();
  await end();
  expect((await Promise.all(all)).flat()).toEqual(upTo(9).map(BigInt));
  expect(mostInFlight()).toBe(2);
});

test("a batch that fails takes none with it that was sent behind it", async () => {
  const { add, end, clock, sent } = harness({ ...ROOMY, aheadRows: 1 });
  const first = rejection(add("1"));
  await clock.advanceAsync(0);
  const second = add("2");
  await clock.advanceAsync(0);
  expect(sent).toEqual(["1", "2"]);
  await end(new StoreError("unreachable", "gone"));
  await end();
  expect(await first).toMatchObject({ fault: "unreachable" });
  expect(await second).toEqual([1n]);
});

test("requests of one turn of the event loop share a batch", async () => {
  const { add, end, sent } = harness();
  const both = [add("1"), add("2")];
  await end();
  expect(sent).toEqual(["1 2"]);
  expect(await Promise.all(both)).toEqual([[1n], [2n]]);
});

test("a batch is bounded by rows, and a request is never split", async () => {
  const { add, end, sent } = harness({ ...ROOMY, batch: { rows: 3, bytes: 100_000 } });
  const all = [add("1", "2"), add("3", "4"), add("5"), add("6", "7", "8", "9"), add("10")];
  for (let batch = 0; batch < 4; batch++) await end();
  expect(sent).toEqual(["1 2", "3 4 5", "6 7 8 9", "10"]);
  expect((await Promise.all(all)).flat()).toHaveLength(10);
});

test("a batch is bounded by bytes", async () => {
  const { add, end, sent } = harness({ ...ROOMY, batch: { rows: 100, bytes: 2_500 } });
  const all = upTo(3).map((nth) => add(`${nth}`.repeat(1_000)));
  await end();
  await end();
  expect(sent.map((texts) => texts.length)).toEqual([2_001, 1_000]);
  expect((await Promise.all(all)).flat()).toEqual([1n, 2n, 3n]);
});

test("bad requests are found among their neighbours, whose order is kept", async () => {
  const { add, end, sent, inFlight } = harness();
  const results = Promise.allSettled(upTo(8).map((nth) => add(nth === 2 || nth === 7 ? `bad${nth}` : `${nth}`)));
  do await end();
  while (inFlight() > 0);
  expect((await results).map((result) => (result.status === "fulfilled" ? result.value[0] : "refused"))).toEqual([
    1n,
    "refused",
    2n,
    3n,
    4n,
    5n,
    "refused",
    6n,
  ]);
  expect(sent).toEqual([
    "1 bad2 3 4 5 6 bad7 8",
    "1 bad2 3 4",
    "1 bad2",
    "1",
    "bad2",
    "3 4",
    "5 6 bad7 8",
    "5 6",
    "bad7 8",
    "bad7",
    "8",
  ]);
});

test("a bad message takes its whole request with it, and nothing else", async () => {
  const { add, end, inFlight } = harness();
  const [mixed, good] = [rejection(add("1", "bad", "2")), add("3")];
  do await end();
  while (inFlight() > 0);
  expect(await mixed).toMatchObject({ fault: "refused" });
  expect(await good).toEqual([1n]);
});

test("an unreachable database fails the batch and those who waited too long, but not who came later", async () => {
  const { add, end, clock, sent } = harness({ ...ROOMY, batch: { rows: 1, bytes: 1_000 } });
  const [first, second] = [rejection(add("1")), rejection(add("2"))];
  await clock.advanceAsync(900);
  const third = add("3");
  await clock.advanceAsync(100);
  await end(new StoreError("unreachable", "gone"));
  expect(await Promise.all([first, second])).toMatchObject([{ fault: "unreachable" }, { fault: "unreachable" }]);
  await end();
  expect(await third).toEqual([1n]);
  expect(sent).toEqual(["1", "3"]);
});

test("a refusal is nobody's fault who waits", async () => {
  const { add, end, clock } = harness({ ...ROOMY, batch: { rows: 1, bytes: 1_000 } });
  const [bad, good] = [rejection(add("bad")), add("2")];
  await clock.advanceAsync(5_000);
  await end();
  expect(await bad).toMatchObject({ fault: "refused" });
  await end();
  expect(await good).toEqual([1n]);
});

test("a full queue has room again for what was stored, refused or lost", async () => {
  const limits = { ...ROOMY, queue: { rows: 2, bytes: 1_000_000, requests: 10 } };
  const { add, end } = harness(limits);
  for (const how of ["succeed", new StoreError("unreachable", "gone")] as const) {
    const taken = Promise.allSettled([add("1"), add("2")]);
    expect(await rejection(add("3"))).toMatchObject({
      fault: "full",
      message: expect.stringContaining("the limit is 2"),
    });
    await end(how);
    await taken;
  }
  const bad = Promise.allSettled([add("bad1"), add("bad2")]);
  for (let batch = 0; batch < 3; batch++) await end();
  await bad;
  const again = add("4");
  await end();
  expect(await again).toHaveLength(1);
});

test("a request larger than the queue is taken when nothing else is held, and refused otherwise", async () => {
  const { add, end } = harness({ ...ROOMY, queue: { rows: 2, bytes: 1_000_000, requests: 10 } });
  const large = add("1", "2", "3", "4");
  expect(await rejection(add("5"))).toMatchObject({ fault: "full" });
  await end();
  expect(await large).toHaveLength(4);
});

test("idle resolves when the last request has been answered", async () => {
  const { batcher, add, end } = harness();
  await batcher.idle();
  const story: string[] = [];
  const stored = add("1").then(() => story.push("stored"));
  const idle = batcher.idle().then(() => story.push("idle"));
  await end();
  await Promise.all([stored, idle]);
  expect(story).toEqual(["stored", "idle"]);
});
