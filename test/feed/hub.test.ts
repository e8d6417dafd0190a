import { describe, expect, test } from "bun:test";
import { createLogger, silentLogger } from "../../src/base/log";
import type { Offset } from "../../src/core/tail";
import { GROUP } from "../../src/core/topic";
import { Hub } from "../../src/feed/hub";
import type { Subscriber } from "../../src/feed/types";
import { testTopic } from "../support/memory-store";

class Ear implements Subscriber {
  readonly heard: (readonly Offset[])[] = [];
  readonly #then: () => void;
  constructor(then: () => void = () => {}) {
    this.#then = then;
  }
  offers(offsets: readonly Offset[]): void {
    this.heard.push([...offsets]);
    this.#then();
  }
}

const a = testTopic(GROUP, 1);
const b = testTopic(GROUP, 2);
const c = testTopic(GROUP, 3);

describe("the hub", () => {
  test("hands each watcher the offsets of its topics once per tick, ascending (I3), and nothing of others", () => {
    const hub = new Hub(silentLogger);
    const both = new Ear();
    const one = new Ear();
    hub.watch(both, [a, b]);
    hub.watch(one, [b]);
    for (const [offset, topic] of [a, b, c, b].entries()) hub.offer(topic, offset + 1);
    expect(both.heard).toEqual([]);
    hub.flush();
    hub.offer(a, 5);
    hub.flush();
    hub.flush();
    expect(both.heard).toEqual([[1, 2, 4], [5]]);
    expect(one.heard).toEqual([[2, 4]]);
  });

  test("I2: watching a topic twice is watching it once, and one unwatch ends it", () => {
    const hub = new Hub(silentLogger);
    const ear = new Ear();
    const other = new Ear();
    hub.watch(ear, [a, a]);
    hub.watch(ear, [a]);
    hub.watch(other, [a]);
    hub.watch(ear, [a]);
    hub.offer(a, 1);
    hub.flush();
    hub.unwatch(ear, [a, a]);
    hub.offer(a, 2);
    hub.flush();
    expect([ear.heard, other.heard]).toEqual([[[1]], [[1], [2]]]);
    hub.unwatch(other, [a]);
    expect([hub.topics, hub.subscribers]).toEqual([0, 0]);
  });

  test("R-25, I12: offsets noted before an unwatch are not handed to a subscriber that watches nothing any more", () => {
    const hub = new Hub(silentLogger);
    const second = new Ear();
    const first = new Ear(() => hub.unwatch(second, [a]));
    hub.watch(first, [a]);
    hub.watch(second, [a]);
    hub.offer(a, 1);
    hub.flush();
    expect([first.heard, second.heard]).toEqual([[[1]], []]);
  });

  test("a subscriber that throws is logged and dropped; the others get theirs", () => {
    const lines: string[] = [];
    const log = createLogger({ level: "error", format: "text", write: (line) => lines.push(line), wallMs: () => 0 });
    const hub = new Hub(log);
    const before = new Ear();
    const after = new Ear();
    const broken = new Ear(() => {
      throw new Error("a fault of ours");
    });
    for (const ear of [before, broken, after]) hub.watch(ear, [a]);
    for (const offset of [1, 2]) {
      hub.offer(a, offset);
      hub.flush();
    }
    expect([before.heard, broken.heard, after.heard]).toEqual([[[1], [2]], [[1]], [[1], [2]]]);
    expect(lines.length).toBe(1);
    expect(lines[0]).toContain("subscriber dropped");
    expect(lines[0]).toContain("a fault of ours");
  });

  test("a subscriber may watch and unwatch while it is called", () => {
    const hub = new Hub(silentLogger);
    const ear: Ear = new Ear(() => {
      hub.unwatch(ear, [a]);
      hub.watch(ear, [b]);
    });
    hub.watch(ear, [a]);
    hub.offer(a, 1);
    hub.offer(b, 2);
    hub.flush();
    hub.offer(a, 3);
    hub.offer(b, 4);
    hub.flush();
    expect(ear.heard).toEqual([[1], [4]]);
  });

  test("a hundred thousand topics on one subscriber and thousands of subscribers on one topic are handled alike", () => {
    const hub = new Hub(silentLogger);
    const wide = new Ear();
    const topics = Array.from({ length: 100_000 }, (_, n) => testTopic(GROUP, n));
    hub.watch(wide, topics);
    const crowd = Array.from({ length: 5_000 }, () => new Ear());
    for (const ear of crowd) hub.watch(ear, [a]);
    hub.offer(a, 1);
    hub.offer(testTopic(GROUP, 99_999), 2);
    hub.flush();
    expect(wide.heard).toEqual([[1, 2]]);
    expect(crowd.every((ear) => ear.heard.length === 1 && ear.heard[0]?.[0] === 1)).toBe(true);
    hub.unwatch(wide, topics);
    expect([hub.topics, hub.subscribers]).toEqual([1, crowd.length]);
    for (const ear of crowd) hub.unwatch(ear, [a]);
    expect([hub.topics, hub.subscribers]).toEqual([0, 0]);
  });
});
