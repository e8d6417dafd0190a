import { Connection } from "../../src/core/connection/connection";
import type { ConnectionEffect, ConnectionEnd, ConnectionEvent, Want } from "../../src/core/connection/events";
import type { Lane } from "../../src/core/frame";
import type { Message } from "../../src/core/message";
import type { Topic } from "../../src/core/topic";
import type { Prng } from "../support/prng";
import type { VirtualClock } from "../support/virtual-clock";
import { type Downward, Link } from "./link";

/** What the consumer behind the client sees. */
export interface Consumer {
  delivered(messages: readonly Message[], lane: Lane): void;
  historyComplete(topics: readonly Topic[]): void;
}

export interface SimClientOptions {
  readonly clock: VirtualClock;
  readonly random: Prng;
  readonly consumer: Consumer;
  readonly historyOnly: boolean;
  /** Connects a new link to some node. */
  readonly dial: (link: Link) => void;
}

/** The real client core with its caller's duties: links, timers and a consumer. */
export class SimClient {
  readonly #options: SimClientOptions;
  readonly #connection: Connection<Message>;
  #link: Link | undefined;
  #timer: Disposable | undefined;
  #isAsleep = false;
  /** How many streams it opened. */
  streams = 0;
  end: ConnectionEnd | undefined;

  constructor(options: SimClientOptions) {
    const { random, historyOnly, clock } = options;
    this.#options = options;
    this.#connection = new Connection(
      {
        historyOnly,
        random: () => random.next(),
        mutateLimits: { topics: 3, bytes: 1 << 20, waves: 3 },
        openMs: 3_000,
        probeMs: 500,
      },
      clock.now(),
    );
    this.#turn();
  }

  get cursors(): readonly Want[] {
    return [...this.#connection.cursors()];
  }

  add(wants: readonly Want[]): void {
    this.#handle({ kind: "add", wants });
  }

  remove(topics: readonly Topic[]): void {
    this.#handle({ kind: "remove", topics });
  }

  /** Half-closes once everything asked for has come. */
  finish(): void {
    this.#handle({ kind: "finish" });
  }

  close(): void {
    this.#handle({ kind: "close" });
  }

  /** The process dies: its link is closed by the system, and nothing of it goes on. */
  crash(): void {
    this.#link?.close();
    this.#link = undefined;
    this.#timer?.[Symbol.dispose]();
    this.#isAsleep = true;
  }

  /** The consumer is behind, or goes on. */
  setReading(isReading: boolean): void {
    if (this.#isAsleep) return;
    if (isReading) this.#handle({ kind: "reading" });
    this.#link?.setReading(isReading);
    if (!isReading) this.#handle({ kind: "paused" });
  }

  /** The machine is suspended: nothing is read and no timer fires. */
  sleep(): void {
    this.#isAsleep = true;
    this.#link?.setReading(false);
  }

  wakeUp(): void {
    this.#isAsleep = false;
    this.#handle({ kind: "resumed" });
    this.#link?.setReading(true);
    this.#handle({ kind: "reading" });
  }

  /** The stream breaks: this end hears of it, and the other if anything still reaches it. */
  cut(): void {
    const link = this.#link;
    this.#link = undefined;
    if (link === undefined || this.#isAsleep) return;
    const stream = this.streams;
    link.close();
    this.#handle({ kind: "ended", stream, status: "unavailable", detail: "cut" });
  }

  /** From now on the stream is dead without either end being told. */
  hang(): void {
    this.#link?.hang();
  }

  #handle(event: ConnectionEvent<Message>): void {
    this.#connection.handle(event, this.#options.clock.now());
    this.#turn();
  }

  /** Effects, then requests, then the timer. */
  #turn(): void {
    const { clock } = this.#options;
    for (const effect of this.#connection.takeEffects()) this.#effect(effect);
    for (let link = this.#link; link !== undefined; link = this.#link) {
      const request = this.#connection.nextRequest(clock.now());
      if (request === undefined) break;
      link.up(request);
    }
    this.#timer?.[Symbol.dispose]();
    const { deadline } = this.#connection;
    if (deadline === undefined) return;
    this.#timer = clock.after(Math.max(0, deadline - clock.now()), () => {
      if (!this.#isAsleep) this.#handle({ kind: "wake" });
    });
  }

  #effect(effect: ConnectionEffect<Message>): void {
    switch (effect.kind) {
      case "open":
        this.#open(effect.stream);
        break;
      case "abandon":
        this.#link?.close();
        this.#link = undefined;
        break;
      case "deliver":
        this.#options.consumer.delivered(effect.messages, effect.lane);
        break;
      case "catchupComplete":
        this.#options.consumer.historyComplete(effect.topics);
        break;
      case "over":
        this.end = effect.end;
        break;
      case "topicsLive":
      case "state":
        break;
      default:
        effect satisfies never;
    }
  }

  #open(stream: number): void {
    this.streams = stream;
    const link: Link = new Link(this.#options.clock, this.#options.random, {
      arrived: (item) => this.#arrived(link, item),
    });
    this.#link = link;
    this.#options.dial(link);
  }

  #arrived(link: Link, item: Downward): void {
    if (link !== this.#link) return;
    const stream = this.streams;
    if (item.kind !== "ended") {
      this.#handle({ kind: "frame", stream, frame: item });
      return;
    }
    this.#link = undefined;
    this.#handle({ kind: "ended", stream, status: item.status, detail: "as the node says" });
  }
}
