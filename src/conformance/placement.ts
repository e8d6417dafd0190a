import type { CloseReason } from "../core/close";
import { CODE, type Status, showStatus } from "./grpc";
import { type InvariantChecker, Violation } from "./invariants";
import type { TruthAtTime } from "./ledger";
import type { LogEntry, SentRequest, StreamLog } from "./stream-log";

/** Tries at most, so that a broken stream with many requests under way is judged in bounded time. */
const MAX_TRIES = 20_000;

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
  #tries = 0;
  #deepest: { readonly at: number; readonly violation: Violation } | undefined;

  constructor(log: StreamLog, truth: TruthAtTime, checker: InvariantChecker) {
    this.#log = log;
    this.#truth = truth;
    this.#places = [{ checker, at: 0, pending: [] }];
  }

  /**
   * Returns the broken rule, or `undefined` if the log is right. `atRest`: nothing more is under way, so everything
   * owed must have come.
   */
  violation(atRest: boolean): Violation | undefined {
    for (let place = this.#places.pop(); place !== undefined; place = this.#places.pop()) {
      this.#tries += 1;
      const broken = this.#tries > MAX_TRIES ? undefined : this.#follow(place, atRest);
      if (broken === "right") return undefined;
      if (this.#tries > MAX_TRIES) break;
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
    const branch = next === undefined ? checker : checker.fork();
    const fits = this.#attempt(at, () => this.#take(branch, entry, next));
    if (next !== undefined) this.#places.push({ checker, at, pending: later, effective: next });
    if (fits) this.#places.push({ checker: branch, at: at + 1, pending });
    return undefined;
  }

  #finish({ checker, at, pending }: Place, atRest: boolean): "right" | undefined {
    if (!atRest) return "right";
    const all = () => {
      for (const request of pending) if (checker.over === undefined) this.#apply(checker, request);
      this.#truth.at = Number.POSITIVE_INFINITY;
      checker.quiescent();
    };
    return this.#attempt(at, all) ? "right" : undefined;
  }

  #apply(checker: InvariantChecker, { request, tick }: SentRequest): void {
    this.#truth.at = tick;
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

  #take(checker: InvariantChecker, entry: Exclude<LogEntry, SentRequest>, next?: SentRequest): void {
    this.#truth.at = entry.tick;
    if (entry.kind === "heard") checker.frame(entry.frame);
    else this.#end(checker, entry.status, next?.request);
  }

  /** The stream ended; `next` is the first request that did not take effect. */
  #end(checker: InvariantChecker, status: Status, next: SentRequest["request"] | undefined): void {
    const reason = reasonOf(status);
    if (reason === undefined) throw new Violation("status", `the stream ended with ${showStatus(status)}`);
    if (reason === "overLimit" && this.#log.mayExceedLimits) return;
    if (reason === "noPong" && this.#log.answersAll) {
      throw new Violation("R-43", "the stream was reaped although every Ping was answered");
    }
    const isRefusal = reason === "overLimit" || (reason === "badRequest" && next?.kind !== "malformed");
    if (!isRefusal) {
      checker.ended(reason);
      return;
    }
    if (next?.kind !== "mutate") throw new Violation("I7", `the stream ended with ${showStatus(status)}, for nothing`);
    checker.refused(next.mutate, reason);
  }

  /** Returns whether no rule was broken; otherwise keeps the violation if none was found further on. */
  #attempt(at: number, step: () => void): boolean {
    try {
      step();
      return true;
    } catch (error) {
      if (!(error instanceof Violation)) throw error;
      if (this.#deepest === undefined || at > this.#deepest.at) this.#deepest = { at, violation: error };
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
