/**
 * What a topic of a stream is held by, part by part: `bun test/bench/memory/topic-parts.ts [TOPICS]`, by default 500 000.
 *
 * By the heap's own account, after a collection. The resident memory that the question measures is more: what the
 * collector has not given back, and what a map reserved when it grew.
 */

import { heapStats } from "bun:jsc";
import { GROUP, type Topic } from "../../../src/core/topic";
import { topicOfBytes } from "../../../src/wire/bytes";
import { groupIdOf } from "../catchup/shape";

const count = Number(process.argv[2] ?? 500_000);

let before = heapBytes();
const topics = Array.from({ length: count }, (_, nth) => topicOfBytes(GROUP, groupIdOf(nth)));
report("the topic itself, a string of 17 characters, and 8 B of the list that holds it here");
const floors = new Map<Topic, number>(topics.map((topic) => [topic, 0]));
report("its floor: an entry of the map of a stream's registrations");
const seat = {};
const watchers = new Map<Topic, object>(topics.map((topic) => [topic, seat]));
report("its watcher: an entry of the map of the hub");
// Nothing is let go of before it was counted.
if (floors.size + watchers.size !== 2 * count) throw new Error("topics are missing");

function report(what: string): void {
  const after = heapBytes();
  console.log(`${((after - before) / count).toFixed(1).padStart(6)} B  ${what}`);
  before = after;
}

function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize; // with what lies outside of the heap
}
