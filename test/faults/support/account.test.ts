/** A drill is worth what its account notices. */

import { expect, test } from "bun:test";
import { GROUP, type GroupMessage, topicOf } from "../../../src/client";
import { faultsOfStored, faultsOfStream } from "./account";
import { Ledger } from "./ledger";
import { Reading } from "./reading";

const RUN = 7;
const topic = topicOf(GROUP, Buffer.from("one"));
const other = topicOf(GROUP, Buffer.from("other"));

/** A ledger of three acked messages of one publisher and topic. */
function threeAcked() {
  const ledger = new Ledger(RUN);
  const datas = [0, 1, 2].map(() => ledger.make(0, topic, 16).data);
  for (const n of datas.keys()) ledger.decide(n, "acked");
  const message = (n: number, id: bigint, of = topic): GroupMessage => ({
    kind: GROUP,
    topic: of,
    id,
    createdNs: 0n,
    groupId: Buffer.from("one"),
    data: datas[n] ?? new Uint8Array(),
    senderHmac: new Uint8Array(),
    shouldPush: false,
    isCommit: false,
  });
  /** A reader that was given these messages, as number and id. */
  const reading = (...given: readonly (readonly [number, bigint])[]) => {
    const made = new Reading("reader", [topic], ledger);
    made.take(
      0n,
      given.map(([n, id]) => message(n, id)),
    );
    return made;
  };
  return { ledger, message, reading };
}

test("what is stored once and in order is no fault", () => {
  const { ledger, reading } = threeAcked();
  const stored = reading([0, 1n], [1, 2n], [2, 3n]);
  expect(faultsOfStored(ledger, stored)).toEqual([]);
  expect(faultsOfStream(ledger, stored, reading([0, 1n], [1, 2n], [2, 3n]))).toEqual([]);
});

test("a message that was acked and is not stored is a fault, a maybe is none, nor is a refused one", () => {
  const { ledger, reading } = threeAcked();
  expect(faultsOfStored(ledger, reading([0, 1n], [2, 3n]))).toEqual(["1 acked and lost: messages 1"]);
  ledger.decide(1, "maybe");
  expect(faultsOfStored(ledger, reading([0, 1n], [2, 3n]))).toEqual([]);
  ledger.decide(1, "refused");
  expect(faultsOfStored(ledger, reading([0, 1n], [2, 3n]))).toEqual([]);
  expect(faultsOfStored(ledger, reading([0, 1n], [1, 2n], [2, 3n]))).toEqual(["1 refused and stored: messages 1"]);
});

test("what was acked in order and has descending ids is a fault", () => {
  const { ledger, reading } = threeAcked();
  expect(faultsOfStored(ledger, reading([1, 1n], [0, 2n], [2, 3n]))).toEqual([
    "1 acked in order and stored out of order: messages 1",
  ]);
});

test("a message that comes twice, or below what came, is a fault", () => {
  const { reading } = threeAcked();
  expect(reading([0, 1n], [0, 2n]).faults).toEqual(["reader: message 0 came twice, as id 1 and as 2"]);
  expect(reading([0, 2n], [1, 1n]).faults).toEqual(["reader: id 1 came after 2 of the same topic"]);
});

test("a message of another topic or another drill is a fault", () => {
  const { ledger, message } = threeAcked();
  const reading = new Reading("reader", [topic], ledger);
  reading.take(0n, [message(0, 1n, other)]);
  expect(reading.faults).toEqual([
    "reader: id 1 is of a topic that was not asked for",
    "reader: id 1 was never published to its topic",
  ]);
  const foreign = new Ledger(RUN + 1);
  foreign.make(0, topic, 16);
  const stranger = new Reading("reader", [topic], foreign);
  stranger.take(0n, [message(0, 1n)]);
  expect(stranger.faults).toEqual(["reader: id 1 was never published to its topic"]);
});

test("a stream that lacks what is stored, or has it by another id, differs from it", () => {
  const { ledger, reading } = threeAcked();
  const stored = reading([0, 1n], [1, 2n], [2, 3n]);
  expect(faultsOfStream(ledger, stored, reading([0, 1n], [2, 3n]))).toEqual([
    "1 stored and not delivered to reader: messages 1",
  ]);
  expect(faultsOfStream(ledger, stored, reading([0, 1n], [1, 2n], [2, 4n]))).toEqual([
    "1 delivered to reader and not stored like that: messages 2",
  ]);
});
