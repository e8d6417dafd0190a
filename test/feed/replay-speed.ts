/**
 * How fast replays are: `bun test/feed/replay-speed.ts [ROWS] [TOPICS]`, by default 500 000 rows of 500 B over
 * 10 000 topics, on a Postgres of its own. Prints rows, milliseconds to the first page and to the end, and queries.
 */
import { GROUP, type Topic } from "../../src/core/topic";
import type { Feed } from "../../src/feed/types";
import { encodeEntry } from "../../src/wire/entry";
import { createDatabase } from "../support/database";
import { PageSink } from "./harness";
import { fillDatabase, filledTopic, pgFeed } from "./pg-feed";

const rows = Number(process.argv[2] ?? 500_000);
const topicCount = Number(process.argv[3] ?? 10_000);

/** A sink that only counts, and asks for the next page at once. */
class CountingSink extends PageSink {
  count = 0;
  bytes = 0;
  firstMs = 0;
  readonly #startedAt = performance.now();

  override page(...[messages, done]: Parameters<PageSink["page"]>): void {
    if (this.count === 0) this.firstMs = performance.now() - this.#startedAt;
    this.count += messages.length;
    for (const { entry } of messages) this.bytes += entry.byteLength;
    super.page([], done);
  }
}

await using database = await createDatabase();
await fillDatabase(database.target, [{ kind: GROUP, rows, topics: topicCount, bodyBytes: 500 }]);
const topics = Array.from({ length: topicCount }, (_, n) => filledTopic(GROUP, n));

async function measure(question: string, floors: readonly bigint[], asked: readonly Topic[] = topics): Promise<void> {
  await using node = await pgFeed(database.target, { tickMs: 1e6 }, encodeEntry);
  node.feed.setListening(true);
  await node.feed.look();
  const before = node.queries();
  const cpuBefore = process.cpuUsage();
  const startedAt = performance.now();
  const sink = new CountingSink().start(node.feed, { topics: asked, floors, ceilings: node.feed.tail.headIds });
  await sink.ended;
  const ms = performance.now() - startedAt;
  report(question, {
    count: sink.count,
    firstMs: sink.firstMs,
    ms,
    cpuMs: cpuSince(cpuBefore),
    queries: node.queries() - before,
  });
}

/** Milliseconds of processor time of this process, the database not counted. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

async function stampede(feed: Feed, replays: number, floor: bigint): Promise<number> {
  const scope = {
    topics: topics.slice(0, 100),
    floors: topics.slice(0, 100).map(() => floor),
    ceilings: feed.tail.headIds,
  };
  const sinks = Array.from({ length: replays }, () => new CountingSink().start(feed, scope));
  await Promise.all(sinks.map((sink) => sink.ended));
  return sinks.reduce((sum, { count }) => sum + count, 0);
}

interface Figures {
  readonly count: number;
  readonly firstMs: number;
  readonly ms: number;
  readonly cpuMs: number;
  readonly queries: number;
}

function report(question: string, { count, firstMs, ms, cpuMs, queries }: Figures): void {
  const cells = [
    question.padEnd(46),
    `${count}`.padStart(9),
    firstMs.toFixed(1).padStart(9),
    ms.toFixed(1).padStart(9),
    cpuMs.toFixed(1).padStart(9),
    `${queries}`.padStart(8),
    Math.round((count / ms) * 1_000)
      .toString()
      .padStart(10),
  ];
  process.stdout.write(`${cells.join(" ")}\n`);
}

process.stdout.write(`${"question".padEnd(46)}      rows  first ms    all ms    cpu ms  queries     rows/s\n`);
const all = (floor: bigint) => topics.map(() => floor);
const head = BigInt(rows);
await measure("all topics from the beginning", all(0n));
await measure("all topics, the last tenth", all(head - head / 10n));
await measure("all topics, the last 1 000 ids", all(head - 1_000n));
await measure("100 topics from the beginning", all(0n).slice(0, 100), topics.slice(0, 100));
await measure("1 topic from the beginning", [0n], topics.slice(0, 1));
{
  await using node = await pgFeed(database.target, { tickMs: 1e6 }, encodeEntry);
  const heads = await node.reader.heads(topics);
  await measure("all topics, each at its own head", heads);
  await measure(
    "all topics, one straggler",
    heads.map((id, n) => (n === 7 ? id / 2n : id)),
  );
}
{
  await using node = await pgFeed(database.target, { tickMs: 1e6 }, encodeEntry);
  node.feed.setListening(true);
  await node.feed.look();
  for (const floor of [0n, head - 1_000n, head]) {
    const before = node.queries();
    const cpuBefore = process.cpuUsage();
    const startedAt = performance.now();
    const count = await stampede(node.feed, 1_000, floor);
    const ms = performance.now() - startedAt;
    const queries = node.queries() - before;
    report(`1 000 resumes of 100 topics from ${floor}`, { count, firstMs: 0, ms, cpuMs: cpuSince(cpuBefore), queries });
  }
}
process.exit(0);
