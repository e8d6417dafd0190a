import { afterAll, beforeAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { type App, eventually, GROUPLESS, newWallet, nodeApp } from "./app";
import { describeSdk, sharedNode } from "./suite";

const node = sharedNode();

const STREAMED = 200;
/** More than two new installations at once get one welcome and pointers to it. */
const MEMBERS = 10;

for (const { name, bidi } of [
  { name: "bidirectional streams", bidi: true },
  { name: "server streams", bidi: false },
]) {
  describeSdk(`the Node SDK with ${name}`, () => {
    let app: App;
    beforeAll(() => {
      app = nodeApp({ url: node().url, bidi });
    });
    afterAll(async () => await app?.[Symbol.asyncDispose]());

    test("registers, is found by its address, and a stranger is not", async () => {
      const alice = await app.client();
      const bob = await app.client();
      const stranger = `0x${randomBytes(20).toString("hex")}`;
      expect(await alice.canMessage([bob.address, stranger])).toEqual({ [bob.address]: true, [stranger]: false });
      expect(await bob.inbox()).toEqual({ accounts: [bob.address], installations: [bob.installationId] });
    });

    test("talks in DMs and groups, and a sync brings everything in order", async () => {
      const ann = await app.client();
      const ben = await app.client();
      const cat = await app.client();
      const dm = await ann.dm(ben);
      await ann.send(dm, "one", "two");
      const group = await ann.group([ben, cat]);
      await ann.send(group, "hello, all");
      await ben.sync();
      await ben.send(dm, "three");
      await ben.send(group, "hello, ann");
      await Promise.all([ann.sync(), cat.sync()]);
      expect(await ann.texts(dm)).toEqual(["one", "two", "three"]);
      for (const member of [ann, ben, cat]) expect(await member.texts(group)).toEqual(["hello, all", "hello, ann"]);
    });

    test(`adds ${MEMBERS} members at once, each of whom gets its welcome by a pointer`, async () => {
      const host = await app.client();
      const guests = await app.clients(MEMBERS);
      const before = await node().metric('tideline_messages_published_total{kind="welcome"}');
      const group = await host.group(guests);
      await host.send(group, "welcome");
      await Promise.all(guests.map((guest) => guest.sync()));
      for (const guest of guests) expect(await guest.texts(group)).toEqual(["welcome"]);
      expect(await host.members(group)).toHaveLength(MEMBERS + 1);
      // One for each, and the one that they point to.
      expect(await node().metric('tideline_messages_published_total{kind="welcome"}')).toBe(before + MEMBERS + 1);
    });

    test(`a stream brings ${STREAMED} messages exactly once and in order (I1, I2, I3)`, async () => {
      const writer = await app.client();
      const reader = await app.client(newWallet(), GROUPLESS);
      const stream = await reader.listen();
      const dm = await writer.dm(reader);
      const texts = Array.from({ length: STREAMED }, (_, n) => `message ${n}`);
      await writer.send(dm, ...texts);
      expect(await stream.heard(STREAMED)).toEqual(texts);
      await stream.end();
    });

    test("the stream of a client without groups brings what is said in one that is made later", async () => {
      const founder = await app.client();
      const member = await app.client(newWallet(), GROUPLESS);
      const stream = await member.listen();
      const news = await member.listenForConversations();
      const group = await founder.group([member]);
      await founder.send(group, "first words");
      expect(await stream.heard(1)).toEqual(["first words"]);
      await news.heardOf(group);
      await stream.end();
    });

    test(`four clients of one process ${bidi ? "share one stream" : "hold streams of their own"}`, async () => {
      await using process = nodeApp({ url: node().url, bidi });
      const writer = await app.client();
      const readers = await process.clients(4, GROUPLESS);
      const opened = node().streams.length;
      const mutates = await node().metric("tideline_mutates_total");
      const streams = await Promise.all(readers.map((reader) => reader.listen()));
      const group = await writer.group(readers);
      // Each adds its own topics, then the group's; the SDK can lose what is sent while several add the same one.
      const wanted = bidi ? mutates + 2 * readers.length : 0;
      await eventually(
        () => node().metric("tideline_mutates_total"),
        (count) => count >= wanted,
        "the group's adds",
      );
      await writer.send(group, "one", "two", "three");
      for (const stream of streams) expect(await stream.heard(3)).toEqual(["one", "two", "three"]);
      const rpcs = node().streams.slice(opened);
      if (bidi) expect(rpcs).toEqual(["Subscribe"]);
      else expect(rpcs.filter((rpc) => rpc === "SubscribeWelcomeMessages")).toHaveLength(4);
    });
  });
}
