import { describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { CASES } from "../../src/conformance/catalogue";
import { runCase } from "../../src/conformance/run";
import { brokenBy, FAULTS, type Fault } from "./model/faults";
import { ModelNode } from "./model/node";
import { notPassed, outcomesAt } from "./not-passed";

/** The case that catches each fault. */
const CATCHER: Readonly<Record<Fault, string>> = {
  "started-waits-for-a-request": "started-before-any-request",
  "unknown-request-refused": "unknown-request-ignored",
  "unknown-version-ignored": "unknown-version-refused",
  "cursor-inclusive": "cursor-is-exclusive",
  "future-cursor-forgotten": "cursor-in-the-future",
  "highest-add-wins": "duplicate-adds-coalesce",
  "unknown-kind-accepted": "unknown-kind-in-adds",
  "cursor-beyond-63-bits-accepted": "cursor-too-high",
  "zero-id-accepted": "adds-need-an-id",
  "id-in-flight-accepted": "id-in-flight-refused",
  "removes-only-unacked": "removes-only-acked",
  "ack-twice": "one-ack-per-mutate",
  "acks-newest-first": "acks-in-order",
  "acks-behind-waves": "ack-overtakes-wave",
  "topic-by-topic": "wave-is-one-merged-pass",
  "wave-descends": "order-per-topic",
  "wave-loses-its-last": "cursor-zero",
  "wave-under-another-tag": "each-wave-its-own-tag",
  "fold-untagged": "no-live-before-the-gate",
  "seam-gap": "arrives-mid-wave",
  "seam-duplicate": "history-then-live",
  "live-behind-waves": "live-flows-beside-a-wave",
  "live-disordered": "live-carries-no-tag",
  "live-tagged": "live-carries-no-tag",
  "one-mark-for-both-kinds": "kinds-have-their-own-order",
  "topics-live-late": "empty-topic-acked",
  "topics-live-missing": "empty-topic-acked",
  "remove-leaks-live": "remove-stops",
  "removed-stays-in-wave": "remove-mid-wave",
  "wave-without-topics-unacked": "remove-all-mid-wave",
  "floor-outlives-remove": "add-again-after-remove",
  "adds-before-removes": "reset-in-one-mutate",
  "lower-re-add-ignored": "lower-re-add-replays",
  "no-op-re-add-replays": "same-add-without-a-delivery",
  "mutate-applied-in-part": "one-bad-topic-refuses-all",
  "history-goes-live": "registers-nothing",
  "history-unpinned": "ceiling-is-pinned",
  "history-of-subscribed-accepted": "of-a-subscribed-topic-refused",
  "pings-unanswered": "client-pings-answered",
  "pong-of-another-nonce": "any-nonce-is-echoed",
  "never-pings": "pings-when-quiet",
  "received-frames-postpone-pings": "received-frames-do-not-postpone-the-ping",
  "reaps-although-answered": "pings-go-on",
  "never-reaps": "no-pong-no-stream",
  "any-pong-counts": "wrong-nonces-do-not-count",
  "half-close-drops-acks": "half-close-behind-a-mutate",
  "half-close-never-ends": "half-close-at-rest",
  "half-close-ends-live": "live-while-draining",
  "no-limits": "ping-flood",
  "tight-waves": "fifty-waves-at-once",
  "page-cursor-inclusive": "query-cursor-is-exclusive",
  "page-cursor-always": "paging-ends-at-zero",
  "pages-ascend-by-default": "query-descends-by-default",
  "acked-before-stored": "cursor-zero",
  "duplicates-stored": "repeat-makes-no-row",
  "part-of-a-request-stored": "all-or-none",
  "newest-out-of-place": "newest-is-positional",
  "commits-unmarked": "is-commit-is-computed",
  "unimplemented-in-trailers": "unimplemented-is-trailers-only",
  "unknown-left-out": "identity-updates-are-positional",
  "any-key-package-accepted": "no-key-package-refused",
  "forged-inboxes-accepted": "forged-inbox-refused",
  "commit-logs-unlimited": "too-many-commit-log-entries",
  "verdicts-without-a-block": "wallet-verdicts-are-positional",
  "legacy-headers-late": "group-stream-headers-at-once",
  "legacy-without-history": "group-stream-history-then-live",
};

const KEEPALIVE_MS = 1_000;
const MAX_KEEPALIVE_MS = 30_000;
/** For broken models, so that those which are silent are soon found out. */
const SHORT_KEEPALIVE_MS = 300;
/** Longer than the second that a reaping may be late, which would hide a question that is asked again. */
const LONG_KEEPALIVE_MS = 1_500;
const IMPATIENCE_MS = 700;
/** A machine that stands still at the wrong moment may hide a fault from the case that looks for it, but not again and again. */
const LOOKS = 3;
const AT_ONCE = 8;

/** Runs the case against a model with this fault. Started need not be heard first: its promise is known. */
async function caught(fault: Fault, id: string): Promise<boolean> {
  const keepaliveMs = fault === "any-pong-counts" ? LONG_KEEPALIVE_MS : SHORT_KEEPALIVE_MS;
  await using node = await ModelNode.start({ keepaliveMs, broken: brokenBy(fault) });
  const setting = { address: node.address, keepaliveMs, patienceMs: IMPATIENCE_MS, clock: systemClock };
  const one = CASES.find((candidate) => candidate.id === id);
  return one !== undefined && (await runCase(one, setting)).verdict !== "passed";
}

describe("the kit itself", () => {
  test.concurrent("passes the unbroken model, case by case", async () => {
    await using hasty = await ModelNode.start({ keepaliveMs: KEEPALIVE_MS });
    await using patient = await ModelNode.start({ keepaliveMs: MAX_KEEPALIVE_MS });
    const servers = { hasty: hasty.address, patient: patient.address };
    expect(await notPassed((ids) => outcomesAt(servers, ids))).toEqual([]);
  });

  test.concurrent("catches every broken model, by the case named for it", async () => {
    const missed: string[] = [];
    const waiting = Object.entries(CATCHER);
    const lane = async () => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [name, id] = next;
        if (!isFault(name)) continue;
        let isCaught = false;
        for (let look = 0; look < LOOKS && !isCaught; look++) isCaught = await caught(name, id);
        if (!isCaught) missed.push(`${name} by ${id}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    expect(missed).toEqual([]);
    expect(Object.keys(CATCHER).length).toBeGreaterThanOrEqual(25);
  });
});

function isFault(name: string): name is Fault {
  return name in FAULTS;
}
