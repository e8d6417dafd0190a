import { Code, ConnectError } from "@connectrpc/connect";
import type { ClientRequest, ServerFrame, Want } from "../core/connection/events";
import { LIVE, type Mutate } from "../core/frame";
import { isTopic, KINDS, kindOf, type Topic } from "../core/topic";
import type { DeliveredMessage } from "./messages";
import type { OlderCalls } from "./older-calls";

type Frame = ServerFrame<DeliveredMessage>;

/** The cadence that the watchdog goes by. These streams have no Pings: one that was silent for three of it is opened anew. */
const KEEPALIVE_MS = 30_000;
/** Histories that are read at once. */
const HISTORIES = 16;

/**
 * Plays one Subscribe on a node that serves only the older calls (C-7): the history of an added topic by queries, then all
 * live topics by one server stream a kind, which every add tears down and opens anew where it was.
 *
 * A Ping stays unanswered on purpose. An answer could only come by another call, and would hide that a stream is dead.
 */
export class OlderStreams {
  readonly #calls: OlderCalls;
  /** What is live, and up to which id it was delivered. */
  readonly #live = new Map<Topic, bigint>();
  readonly #hangUp: AbortSignal;
  readonly #frames = new TransformStream<Frame, Frame>();
  readonly #out = this.#frames.writable.getWriter();
  #stopFollowing = new AbortController();
  #following: Promise<unknown> = Promise.resolve();

  constructor(calls: OlderCalls, hangUp: AbortSignal) {
    this.#calls = calls;
    this.#hangUp = hangUp;
  }

  /** What the stream says to these requests; their end is the half-close. Throws what a call ended with. */
  async *open(requests: AsyncIterable<ClientRequest>): AsyncGenerator<Frame> {
    yield { kind: "started", keepaliveMs: KEEPALIVE_MS, ascending: "topic" };
    void this.#listen(requests).catch((error: unknown) => this.#fail(error));
    try {
      yield* this.#frames.readable;
    } finally {
      this.#stopFollowing.abort();
    }
  }

  async #listen(requests: AsyncIterable<ClientRequest>): Promise<void> {
    for await (const request of requests) {
      if (request.kind === "mutate") await this.#apply(request.mutate);
    }
    await this.#unfollow();
    await this.#out.close();
  }

  async #apply({ id, adds, removes, historyOnly }: Mutate): Promise<void> {
    for (const topic of removes.filter(isTopic)) this.#live.delete(topic);
    const wants = adds.flatMap(({ topic, cursor }) => (isTopic(topic) ? [{ topic, cursor }] : []));
    if (wants.length > 0) {
      await this.#unfollow();
      await this.#catchUp(id, wants, historyOnly);
      await this.#out.write({ kind: "topicsLive", topics: wants.map(({ topic }) => topic) });
    }
    await this.#out.write({ kind: "catchupComplete", mutateId: id });
    if (wants.length > 0) this.#follow();
  }

  async #catchUp(lane: bigint, wants: readonly Want[], historyOnly: boolean): Promise<void> {
    for (let n = 0; n < wants.length; n += HISTORIES) {
      const some = wants.slice(n, n + HISTORIES);
      const ends = await Promise.all(some.map((want) => this.#history(lane, want)));
      if (!historyOnly) for (const { topic, cursor } of ends) this.#live.set(topic, cursor);
    }
  }

  /** Delivers what a topic holds above a cursor. Returns up to where. */
  async #history(lane: bigint, { topic, cursor }: Want): Promise<Want> {
    let end = cursor;
    for (let from: bigint | undefined = cursor; from !== undefined; ) {
      const { messages, next } = await this.#calls.history({ topic, cursor: from }, this.#hangUp);
      if (messages.length > 0) await this.#out.write({ kind: "messages", lane, messages });
      end = messages.at(-1)?.id ?? end;
      from = next;
    }
    return { topic, cursor: end };
  }

  #follow(): void {
    const stop = new AbortController();
    this.#stopFollowing = stop;
    const signal = AbortSignal.any([stop.signal, this.#hangUp]);
    const wants = [...this.#live].map(([topic, cursor]) => ({ topic, cursor }));
    const kinds = KINDS.map(async (kind) => {
      const ofKind = wants.filter(({ topic }) => kindOf(topic) === kind);
      if (ofKind.length === 0) return;
      try {
        for await (const message of this.#calls.follow(kind, ofKind, signal)) await this.#deliver(message);
        throw new ConnectError("the node ended the stream", Code.Unavailable);
      } catch (error) {
        if (!stop.signal.aborted) this.#fail(error);
      }
    });
    this.#following = Promise.all(kinds);
  }

  /** Resolves when nothing live is under way any more. */
  async #unfollow(): Promise<void> {
    this.#stopFollowing.abort();
    await this.#following;
  }

  async #deliver(message: DeliveredMessage): Promise<void> {
    const { topic, id } = message;
    const position = this.#live.get(topic);
    if (position === undefined || id <= position) return;
    this.#live.set(topic, id);
    await this.#out.write({ kind: "messages", lane: LIVE, messages: [message] });
  }

  #fail(error: unknown): void {
    // It fails only if the reader is gone already, and then nobody is left to be told.
    void this.#out.abort(error).catch(() => {});
  }
}
