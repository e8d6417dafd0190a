import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import type { ReplayScope } from "../../src/core/session/events";
import { GROUP, KINDS, type Kind, kindOf, type PerKind, type Topic, WELCOME } from "../../src/core/topic";
import { startListener } from "../../src/store/listener";
import type { DatabaseTarget } from "../../src/store/target";
import type { ListenerEvents, NewMessage } from "../../src/store/types";
import { createDatabase, type TestDatabase } from "../support/database";
import { Prng } from "../support/prng";
import { until } from "../support/until";
import { idsOf, PageSink, Probe } from "./harness";
import { fillDatabase, filledTopic, type PgFeed, pgFeed, readAll } from "./pg-feed";

function messageOn(topic: Topic, text: string): NewMessage {
  const body = Buffer.from(text);
  return { kind: kindOf(topic), topic, arm: 1, body, digest: new Bun.CryptoHasher("sha256").update(body).digest() };
}

/** A feed that is told of commits, and would hardly look by itself. */
async function listeningNode(target: DatabaseTarget): Promise<PgFeed> {
  const node = await pgFeed(target, { tickMs: 1e6 });
  const { feed } = node;
  const events: ListenerEvents = {
    onNotify: (newest) => feed.notified(newest),
    onListen: () => feed.lookAgain(),
    onHealth: (listening) => feed.setListening(listening),
  };
  const listener = await startListener(target, events, { clock: systemClock });
  await until(() => feed.stats().listening, "the listener");
  return {
    ...node,
    [Symbol.asyncDispose]: async () => {
      await listener[Symbol.asyncDispose]();
      await node[Symbol.asyncDispose]();
    },
  };
}

const TOPICS = KINDS.flatMap((kind) => Array.from({ length: 5 }, (_, n) => filledTopic(kind, n)));

describe("two feeds on one database", () => {
  test("with a listener each hears of the other at once, and a node's own publishes cost it next to no query", async () => {
    await using database = await createDatabase();
    await using one = await listeningNode(database.target);
    await using two = await listeningNode(database.target);
    const topic = filledTopic(GROUP, 1);
    const probe = new Probe(two.feed.tail);
    two.feed.watch(probe, [topic]);
    const before = one.queries();
    for (let n = 1; n <= 40; n++) {
      await one.feed.publish([messageOn(topic, `${n}`)]);
      await until(() => probe.messages.length === n, `message ${n}`);
    }
    expect(probe.ids(GROUP)).toEqual(Array.from({ length: 40 }, (_, n) => BigInt(n + 1)));
    expect(one.queries() - before).toBeLessThan(40);
  });

  test("poll-only, every notification lost: each serves what the other published", async () => {
    await using database = await createDatabase();
    await using one = await pgFeed(database.target);
    await using two = await pgFeed(database.target);
    const probes = [one, two].map(({ feed }) => {
      const probe = new Probe(feed.tail);
      feed.watch(probe, TOPICS);
      return probe;
    });
    for (let n = 0; n < 20; n++) {
      const { feed } = n % 2 === 0 ? one : two;
      await feed.publish([messageOn(filledTopic(n % 3 === 0 ? WELCOME : GROUP, n % 5), `${n}`)]);
    }
    await until(() => probes.every((probe) => probe.messages.length === 20), "20 messages on both");
    for (const kind of KINDS) expect(probes[0]?.ids(kind)).toEqual(probes[1]?.ids(kind) ?? []);
  });

  test("a hint is enough: without polling, a notification brings what the other published", async () => {
    await using database = await createDatabase();
    await using one = await pgFeed(database.target, { tickMs: 1e6 });
    await using two = await pgFeed(database.target, { tickMs: 1e6 });
    two.feed.setListening(true);
    const topic = filledTopic(GROUP, 1);
    const probe = new Probe(two.feed.tail);
    two.feed.watch(probe, [topic]);
    for (let n = 1; n <= 5; n++) {
      await one.feed.publish([messageOn(topic, `${n}`)]);
      two.feed.notified({ kind: GROUP, id: BigInt(n) });
      await until(() => probe.messages.length === n, `message ${n}`);
    }
    expect(probe.ids(GROUP)).toEqual([1n, 2n, 3n, 4n, 5n]);
  });

  test("R-36: after a look, whatever another node acked is in the tail", async () => {
    await using database = await createDatabase();
    await using one = await pgFeed(database.target, { tickMs: 1e6 });
    await using two = await pgFeed(database.target, { tickMs: 1e6 });
    for (const { feed } of [one, two]) feed.setListening(true);
    for (let n = 1; n <= 50; n++) {
      await one.feed.publish([messageOn(filledTopic(GROUP, n), `${n}`)]);
      await two.feed.look();
      expect(two.feed.tail.headIds[GROUP]).toBe(BigInt(n));
    }
  });

  test("I1, I2, I3: 8 publishers at once over both; each tail has each id once, in order, before it is acked", async () => {
    await using database = await createDatabase();
    await using one = await pgFeed(database.target, { lookRows: 64 });
    await using two = await pgFeed(database.target, { lookRows: 64 });
    const probes = [one, two].map(({ feed }) => {
      const probe = new Probe(feed.tail);
      feed.watch(probe, TOPICS);
      return probe;
    });
    const publish = async (publisher: number) => {
      const random = new Prng(publisher);
      const { feed } = publisher % 2 === 0 ? one : two;
      for (let n = 0; n < 40; n++) {
        const kind: Kind = random.chance(0.7) ? GROUP : WELCOME;
        const request = Array.from({ length: random.between(1, 8) }, (_, part) => {
          return messageOn(
            filledTopic(kind, random.int(5)),
            random.chance(0.05) ? "again" : `${publisher}.${n}.${part}`,
          );
        });
        await feed.publish(request);
      }
    };
    await Promise.all(Array.from({ length: 8 }, (_, publisher) => publish(publisher)));
    const stored = await Promise.all(KINDS.map((kind) => readAll(database.target, kind)));
    const count = stored.reduce((sum, rows) => sum + rows.length, 0);
    await until(() => probes.every((probe) => probe.messages.length >= count), `${count} messages on both`);
    for (const kind of KINDS) {
      const ids = stored[kind]?.map(({ id }) => id) ?? [];
      expect(ids).toEqual(ids.map((_, n) => BigInt(n + 1)));
      for (const probe of probes) expect(probe.ids(kind)).toEqual(ids);
    }
  });
});

/** Filling a database takes a second or two, more when the machine is busy. */

describe("a history of 100 000 rows over 1 000 topics", () => {
  let database: TestDatabase;
  let node: PgFeed;
  let rows: PerKind<readonly { readonly id: bigint; readonly topic: string }[]>;

  beforeAll(async () => {
    database = await createDatabase();
    await fillDatabase(database.target, [
      { kind: GROUP, rows: 80_000, topics: 700, bodyBytes: 60 },
      { kind: WELCOME, rows: 20_000, topics: 300, bodyBytes: 60 },
    ]);
    rows = [await readAll(database.target, GROUP), await readAll(database.target, WELCOME)];
    node = await pgFeed(database.target);
  });
  afterAll(async () => {
    await node[Symbol.asyncDispose]();
    await database[Symbol.asyncDispose]();
  });

  /** Replays a scope and compares with what the plain query says. */
  async function expectReplayed(topics: readonly Topic[], floor: (topic: Topic) => bigint): Promise<PageSink> {
    const { feed } = node;
    const scope: ReplayScope = { topics, floors: topics.map(floor), ceilings: feed.tail.headIds };
    const sink = new PageSink().start(feed, scope);
    await sink.ended;
    expect([sink.failure, sink.faults]).toEqual([undefined, []]);
    const floors = new Map<string, bigint>(topics.map((topic, at) => [topic, scope.floors[at] ?? 0n]));
    for (const kind of KINDS) {
      const due = rows[kind].filter(({ id, topic }) => id > (floors.get(topic) ?? id)).map(({ id }) => id);
      expect(idsOf(sink.messages, kind)).toEqual(due);
    }
    return sink;
  }

  const all = [
    ...Array.from({ length: 700 }, (_, n) => filledTopic(GROUP, n)),
    ...Array.from({ length: 300 }, (_, n) => filledTopic(WELCOME, n)),
  ];

  test("R-17: is replayed exactly, from the beginning", async () => {
    const sink = await expectReplayed(all, () => 0n);
    expect(sink.messages.length).toBe(100_000);
  });

  test("R-7: is replayed exactly from any cursors, by every way of reading", async () => {
    const random = new Prng(9);
    await expectReplayed(all, () => BigInt(random.int(80_000)));
    await expectReplayed(all, (topic) => (kindOf(topic) === GROUP ? 79_700n : 19_900n));
    await expectReplayed(all.slice(10, 13), () => 0n);
    await expectReplayed(all.slice(690, 720), () => 5n);
    await expectReplayed(all, () => 79_999n);
  });

  test("a straggler among current topics comes alone", async () => {
    const heads = new Map(KINDS.flatMap((kind) => rows[kind].map(({ id, topic }) => [topic, id] as const)));
    const sink = await expectReplayed(all, (topic) => (topic === all[5] ? 100n : (heads.get(topic) ?? 0n)));
    expect(sink.messages.every(({ topic }) => topic === all[5])).toBe(true);
  });
});
