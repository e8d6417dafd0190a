import type { CloseReason } from "../../core/close";
import { CODE, type Status, showStatus } from "../client/grpc";
import type { TruthAtTime } from "../ledger";
import type { LogEntry, SentRequest, StreamLog } from "../stream-log";
import type { InvariantChecker } from "./invariants";
import { Violation } from "./violation";

/** Topics that may be copied in all, so that a broken stream with many requests under way is judged in bounded time. */
const MAX_COPIED = 2_000_000;
/** The same, where the answer is only whether something is still to come. */
const MAX_COPIED_WAITING = 200_000;

/** At what moment a log is looked at. */
export type Moment = "under way" | "settling" | "at rest";

/** What is still to be looked at, from some point of the log. */
interface Place {
  readonly checker: InvariantChecker;
  /** The next entry of the log. */
  readonly at: number;
  /** Requests that were sent, but have not taken effect. */
  readonly pending: readonly SentRequest[];
  /** The request that takes effect first of all. */
  readonly effective?: SentRequest;
}

/**
 * Holds a stream's log against the rules.
 *
 * When a request takes effect cannot be seen from outside: at some moment between its being sent and the first
 * frame that needs it. So a log is right if there are such moments, in the order of the requests, at which no rule
 * is broken. They are searched for, each as late as can be; where that leads nowhere, earlier ones are tried.
 */
export class Placement {
  readonly #log: StreamLog;
  readonly #truth: TruthAtTime;
  readonly #places: Place[];
  #copied = 0;
  #deepest: { readonly at: number; readonly violation: Violation } | undefined;

  constructor(log: StreamLog, truth: TruthAtTime, checker: InvariantChecker) {
    this.#log = log;
    this.#truth = truth;
    this.#places = [{ checker, at: 0, pending: [] }];
  }

  /**
   * Returns the broken rule, or `undefined` if the log is right. `moment`: "at rest", if nothing more is under way, so
   * that everything owed must have come; "settling", if it may be so, and it is enough to be roughly right about it.
   */
  violation(moment: Moment): Violation | undefined {
    const budget = moment === "settling" ? MAX_COPIED_WAITING : MAX_COPIED;
    for (let place = this.#places.pop(); place !== undefined; place = this.#places.pop()) {
      if (this.#follow(place, moment !== "under way") === "right") return undefined;
      if (this.#copied > budget) break;
    }
    return this.#deepest?.violation ?? new Violation("?", "the log is too long to be judged");
  }

  /** Takes the next entry in; leaves behind what else can be tried. */
  #follow({ checker, at, pending, effective }: Place, atRest: boolean): "right" | undefined {
    if (effective !== undefined && !this.#attempt(at, () => this.#apply(checker, effective))) return undefined;
    const entry = this.#log.entries[at];
    if (entry === undefined) return this.#finish({ checker, at, pending }, atRest);
    if (entry.kind === "sent") {
      this.#places.push({ checker, at: at + 1, pending: [...pending, entry] });
      return undefined;
    }
    const [next, ...later] = pending;
    const branch = next === undefined ? checker : this.#fork(checker);
    const fits = this.#attempt(at, () => this.#take(branch, entry, next));
    if (next !== undefined) this.#places.push({ checker, at, pending: later, effective: next });
    if (fits) this.#places.push({ checker: branch, at: at + 1, pending });
    return undefined;
  }

  #fork(checker: InvariantChecker): InvariantChecker {
    this.#copied += 1 + checker.model.standings.size;
    return checker.fork();
  }

  #finish({ checker, at, pending }: Place, atRest: boolean): "right" | undefined {
    if (!atRest) return "right";
    const all = () => {
      for (const request of pending) if (checker.over === undefined) this.#apply(checker, request);
      this.#truth.lookFrom(Number.POSITIVE_INFINITY, true);
      checker.quiescent();
    };
    return this.#attempt(at, all) ? "right" : undefined;
  }

  #apply(checker: InvariantChecker, { request, tick }: SentRequest): void {
    this.#truth.lookFrom(tick, this.#log.ownConnection);
    switch (request.kind) {
      case "mutate":
        checker.accepted(request.mutate);
        break;
      case "ping":
        checker.pinged(request.nonce);
        break;
      case "halfClose":
        checker.halfClose();
        break;
      case "malformed":
        throw new Violation("R-4", "the stream went on after a request that is none");
      case "pong":
      case "ignored":
        break;
      default:
        request satisfies never;
    }
  }

  /** `next`: the first request that did not take effect. */
  #take(checker: InvariantChecker, entry: Exclude<LogEntry, SentRequest>, next?: SentRequest): void {
    this.#truth.lookFrom(entry.tick, this.#log.ownConnection);
    if (entry.kind === "heard") checker.frame(entry.frame);
    else this.#end(checker, entry.status, next?.request);
  }

  #end(checker: InvariantChecker, status: Status, next: SentRequest["request"] | undefined): void {
    if (next?.kind === "malformed" && status.code !== CODE.ok) {
      checker.ended("badRequest");
      return;
    }
    const reason = reasonOf(status);
    if (reason === undefined) throw new Violation("status", `the stream ended with ${showStatus(status)}`);
    if (reason === "overLimit" && this.#log.mayExceedLimits) {
      checker.ended(reason);
      return;
    }
    if (reason === "noPong" && this.#log.answersAll) {
      throw new Violation("R-43", "the stream was reaped although every Ping was answered");
    }
    if (reason !== "overLimit" && reason !== "badRequest") {
      checker.ended(reason);
      return;
    }
    if (next?.kind !== "mutate") throw new Violation("I7", `the stream ended with ${showStatus(status)}, for nothing`);
    checker.refused(next.mutate, reason);
  }

  /**
   * Returns whether no rule was broken. Of all violations that which was found furthest on is kept, and of several
   * there the last: most requests had taken effect by then.
   */
  #attempt(at: number, step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      if (this.#deepest === undefined || at >= this.#deepest.at) this.#deepest = { at, violation: error };
      return false;
    }
  }
}

/** Why a stream ended, as far as its status tells; `undefined` if the protocol has no such end. */
function reasonOf({ code }: Status): CloseReason | undefined {
  switch (code) {
    case CODE.ok:
      return "finished";
    case CODE.invalidArgument:
      return "badRequest";
    case CODE.resourceExhausted:
      return "overLimit";
    case CODE.deadlineExceeded:
      return "noPong";
    case CODE.aborted:
      return "stalled";
    case CODE.unavailable:
      return "shutdown";
    default:
      return undefined;
  }
}
