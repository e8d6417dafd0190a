import { LIVE } from "../../core/frame";
import { casesOf } from "../case";
import { CODE, showStatus } from "../client/grpc";
import type { NodeUnderTest } from "../client/node";
import type { ProbeStream } from "../client/probe-stream";
import { expectSame, expectThat, fail } from "../failure";
import { blockedWave } from "./scenes";

/** What a server's timers and the way may add, in milliseconds: a second, or more where it is given more time for everything. */
const MIN_TOLERANCE_MS = 1_000;
const TOLERANCES_PER_PATIENCE = 5;
/** V1 with nothing in it: read, and answered by nothing. */
const EMPTY_V1 = Buffer.from([0x0a, 0x00]);

function toleranceMs({ patienceMs }: NodeUnderTest): number {
  return Math.max(MIN_TOLERANCE_MS, patienceMs / TOLERANCES_PER_PATIENCE);
}

/** Waits for the `times`th Ping. Returns how long that took, in milliseconds. */
async function pinged(node: NodeUnderTest, stream: ProbeStream, times = 1): Promise<number> {
  const begun = node.clock.now();
  const words = `Ping ${times} within an interval of ${node.keepaliveMs} ms and ${toleranceMs(node)} ms`;
  await stream.until(() => stream.count("ping") >= times, words, node.keepaliveMs + toleranceMs(node));
  return node.clock.now() - begun;
}

/** Waits until the stream is reaped; `since` = when its Ping came. */
async function reaped(node: NodeUnderTest, stream: ProbeStream): Promise<void> {
  const begun = node.clock.now();
  const end = await stream.ended(node.keepaliveMs + toleranceMs(node));
  expectThat(end.code === CODE.deadlineExceeded, "DEADLINE_EXCEEDED (4)", showStatus(end));
  const tookMs = node.clock.now() - begun;
  const early = node.keepaliveMs * 0.5;
  expectThat(tookMs >= early, `an interval of ${node.keepaliveMs} ms for the Pong`, `${Math.round(tookMs)} ms`);
}

/** The nonce of the newest Ping. */
function askedNonce(stream: ProbeStream): bigint {
  const ping = stream.frames.findLast((said) => said.kind === "ping");
  return ping?.kind === "ping" ? ping.nonce : fail("a Ping", stream.account());
}

export const LIVENESS = casesOf("liveness", [
  {
    id: "pings-when-quiet",
    rules: ["R-42"],
    slow: true,
    promise: "When nothing was sent for the interval the server pings, at most a second late and not much too early.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      const ms = await pinged(node, stream);
      const early = node.keepaliveMs * 0.7;
      expectThat(ms >= early, `no Ping before ${Math.round(early)} ms of silence`, `one after ${Math.round(ms)} ms`);
    },
  },
  {
    id: "pings-go-on",
    rules: ["R-42"],
    slow: true,
    promise: "A client that answers is pinged again and again, each time with another nonce, and never reaped.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      for (let times = 1; times <= 3; times++) await pinged(node, stream, times);
      const nonces = stream.frames.flatMap((said) => (said.kind === "ping" ? [said.nonce] : []));
      expectThat(new Set(nonces).size === nonces.length, "a nonce of its own for each Ping", nonces.join(", "));
      await stream.barrier();
    },
  },
  {
    id: "sent-frames-postpone-the-ping",
    rules: ["R-42"],
    slow: true,
    promise: "Whatever the server sends resets its timer: a busy stream is not pinged.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open();
      await stream.subscribe(1n, a);
      const until = node.clock.now() + 2.5 * node.keepaliveMs;
      while (node.clock.now() < until) {
        await stream.delivered(LIVE, a, await node.publish(a));
        await node.sleep(node.keepaliveMs / 5);
      }
      expectThat(stream.count("ping") === 0, "no Ping", stream.account());
    },
  },
  {
    id: "received-frames-do-not-postpone-the-ping",
    rules: ["R-42"],
    slow: true,
    promise: "What the client sends does not reset the server's timer: a stream with nothing to say to it is pinged.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      const until = node.clock.now() + node.keepaliveMs + toleranceMs(node);
      while (node.clock.now() < until && stream.count("ping") === 0) {
        stream.message(EMPTY_V1, "ignored");
        await node.sleep(node.keepaliveMs / 10);
      }
      expectThat(stream.count("ping") > 0, "a Ping within an interval", stream.account());
    },
  },
  {
    id: "no-pong-no-stream",
    rules: ["R-43"],
    slow: true,
    promise: "Without a Pong within one interval the stream ends with DEADLINE_EXCEEDED.",
    run: async (node) => {
      const stream = node.open({ answering: false });
      await stream.started();
      await pinged(node, stream);
      await reaped(node, stream);
    },
  },
  {
    id: "wrong-nonces-do-not-count",
    rules: ["R-43"],
    slow: true,
    promise: "A Pong with another nonce than the Ping's does not save the stream.",
    run: async (node) => {
      const stream = node.open({ answering: false });
      await stream.started();
      await pinged(node, stream);
      stream.pong(askedNonce(stream) + 1n);
      stream.pong(0n);
      await reaped(node, stream);
    },
  },
  {
    id: "stale-nonces-do-not-count",
    rules: ["R-43"],
    slow: true,
    promise: "The nonce of an earlier Ping does not answer a later one.",
    run: async (node) => {
      const stream = node.open();
      await stream.started();
      await pinged(node, stream);
      const first = askedNonce(stream);
      stream.stopAnswering();
      await pinged(node, stream, 2);
      stream.pong(first);
      await reaped(node, stream);
    },
  },
  {
    id: "other-frames-do-not-count",
    rules: ["R-43"],
    slow: true,
    promise: "Other frames of the client do not stand in for the Pong.",
    run: async (node) => {
      const stream = node.open({ answering: false });
      await stream.started();
      await pinged(node, stream);
      for (let n = 0; n < 5; n++) {
        stream.message(EMPTY_V1, "ignored");
        stream.mutate(node.nextId(), {});
        stream.ping(BigInt(n));
      }
      await reaped(node, stream);
    },
  },
  {
    id: "busy-streams-are-reaped-too",
    rules: ["R-43"],
    slow: true,
    promise: "Live traffic to a client that has not answered its Ping does not save it.",
    run: async (node) => {
      const a = node.group();
      const stream = node.open({ answering: false });
      await stream.subscribe(1n, a);
      await pinged(node, stream);
      const until = node.clock.now() + node.keepaliveMs + toleranceMs(node);
      while (node.clock.now() < until && stream.end === undefined) {
        await node.publish(a);
        await node.sleep(node.keepaliveMs / 10);
      }
      await stream.endsWith(CODE.deadlineExceeded);
    },
  },
  {
    id: "a-late-pong-still-counts",
    rules: ["R-43"],
    slow: true,
    promise: "A Pong late in the interval saves the stream.",
    run: async (node) => {
      const stream = node.open({ answering: false });
      await stream.started();
      await pinged(node, stream);
      await node.sleep(node.keepaliveMs * 0.6);
      stream.pong(askedNonce(stream));
      await node.sleep(node.keepaliveMs * 0.6);
      expectThat(stream.end === undefined, "the stream to live", stream.account());
      await stream.barrier();
      stream.pong(askedNonce(stream));
    },
  },
  {
    id: "client-pings-answered",
    rules: ["R-44"],
    promise: "A Ping of the client is answered with its nonce.",
    run: async (node) => {
      const stream = node.open();
      stream.ping(12_345n);
      await stream.until(() => stream.frames.some((said) => said.kind === "pong" && said.nonce === 12_345n), "Pong");
    },
  },
  {
    id: "any-nonce-is-echoed",
    rules: ["R-44"],
    promise: "Nonces are 64 bits: 0 and 2^64-1 are echoed as they are, and Pongs come in the order of the Pings.",
    run: async (node) => {
      const nonces = [0n, 1n, (1n << 63n) - 1n, 1n << 63n, (1n << 64n) - 1n];
      const stream = node.open();
      for (const nonce of nonces) stream.ping(nonce);
      await stream.until(() => stream.count("pong") === nonces.length, `${nonces.length} Pongs`);
      const got = stream.frames.flatMap((said) => (said.kind === "pong" ? [said.nonce] : []));
      expectSame(got, nonces, "the nonces of the Pongs");
    },
  },
  {
    id: "pings-answered-mid-wave",
    rules: ["R-44"],
    level: "strict",
    promise: "A Ping of the client is answered in the middle of a wave, not behind it.",
    run: async (node) => {
      const { stream } = await blockedWave(node);
      stream.ping(77n);
      await node.sleep(100);
      stream.resume();
      await stream.complete(1n);
      const pong = stream.indexOf((said) => said.kind === "pong" && said.nonce === 77n);
      const end = stream.indexOf((said) => said.kind === "catchupComplete" && said.mutateId === 1n);
      expectThat(pong !== -1 && pong < end, "the Pong before the wave's CatchupComplete", stream.account());
    },
  },
]);
