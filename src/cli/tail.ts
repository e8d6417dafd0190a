import type { Mistake, ValuesOf } from "../base/args";
import { cursor, integer, optional, toggle } from "../base/args-values";
import { CLIENT_SETTINGS } from "../base/config";
import type { Io } from "../base/process";
import { type MessageStream, NodeError, openStream, type StreamEvent, syncOnce } from "../client/index";
import { defineCommand } from "./command";
import { EXIT, interruptedCode, tellMistakes, tellTrouble } from "./exit";
import { parseTopic, TOPIC_FORMS } from "./identifiers";
import { printJson, printText } from "./tail-lines";

const SETTINGS = {
  from: {
    flag: "from",
    kind: cursor,
    default: "0",
    sentence: "Begin above this message id; 0 is the beginning. Groups and welcomes have ids of their own.",
  },
  historyOnly: {
    flag: "history-only",
    kind: toggle,
    default: "",
    sentence: "End when everything stored so far has been printed.",
  },
  count: {
    flag: "count",
    kind: optional(integer("messages", 1)),
    default: "",
    sentence: "End after this many messages.",
  },
  json: { flag: "json", kind: toggle, default: "", sentence: "Print one JSON object per message and marker." },
  ...CLIENT_SETTINGS,
} as const;

type Options = ValuesOf<typeof SETTINGS>;

export const tailCommand = defineCommand({
  name: "tail",
  summary: "print the messages of topics: the stored ones first, then new ones as they arrive",
  details: [
    `A TOPIC is ${TOPIC_FORMS}.`,
    "Each message is printed with its lane: the wave that brought it, or live. The stream answers Pings and",
    "reconnects by itself where it left off; news of the connection go to stderr.",
  ].join("\n"),
  settings: SETTINGS,
  positionals: { usage: "TOPIC…", wanted: "at least one topic", min: 1, max: Number.MAX_SAFE_INTEGER },
  examples: [
    { line: "tideline tail group:demo", does: "Everything in the group demo, until Ctrl-C." },
    { line: "tideline tail --history-only --json group:demo | jq .text", does: "What is stored, then the end." },
    { line: "tideline tail --from 1200 group:0x0a0b0c welcome:0x01ff", does: "Two topics, above id 1200." },
  ],
  run: (options, words, io) => runTail(options, words, io),
});

/** Prints topics; returns the exit code. */
async function runTail(options: Options, words: readonly string[], io: Io): Promise<number> {
  const topics = words.map((word) => ({ word, topic: parseTopic(word) }));
  const mistakes = topics.filter(({ topic }) => topic === undefined).map(({ word }) => badTopic(word));
  if (mistakes.length > 0) return tellMistakes(io, "tail", mistakes);
  const wants = topics.flatMap(({ topic }) => (topic === undefined ? [] : [{ topic, cursor: options.from }]));
  const open = options.historyOnly ? syncOnce : openStream;
  await using stream = open({ address: options.address, topics: wants, signal: io.signal });
  try {
    const tail = new Tail(options, io);
    const ended = await tail.print(stream);
    return ended === "unreachable" ? tellUnreachable(io, options, tail.lastLoss) : endCode(io);
  } catch (error) {
    return tellFailure(io, options, error);
  }
}

/** Prints events until there are no more, or enough. */
class Tail {
  readonly #options: Options;
  readonly #io: Io;
  #left: number;
  #connectedOnce = false;
  lastLoss = "";

  constructor(options: Options, io: Io) {
    this.#options = options;
    this.#io = io;
    this.#left = options.count ?? Number.POSITIVE_INFINITY;
  }

  async print(stream: MessageStream): Promise<"done" | "unreachable"> {
    for await (const event of stream) {
      if (event.kind === "waiting") {
        this.lastLoss = event.loss.detail;
        // Who was never there may be a wrong address; who was there will be back.
        if (!this.#connectedOnce) return "unreachable";
      }
      this.#tell(event);
      await this.#io.stdout.room();
      if (this.#left <= 0) return "done";
    }
    return "done";
  }

  #tell(event: StreamEvent): void {
    const { stderr } = this.#io;
    switch (event.kind) {
      case "connecting":
        return;
      case "connected":
        stderr.write(this.#connectedOnce ? "connected again\n" : `connected to ${this.#options.address}\n`);
        this.#connectedOnce = true;
        return;
      case "waiting":
        stderr.write(`lost the stream (${event.loss.detail}); again in ${(event.retryMs / 1_000).toFixed(1)} s\n`);
        return;
      default:
        this.#print(event);
    }
  }

  #print(event: Extract<StreamEvent, { readonly kind: "messages" | "topicsLive" | "catchupComplete" }>): void {
    const enough = event.kind === "messages" ? { ...event, messages: event.messages.slice(0, this.#left) } : event;
    if (enough.kind === "messages") this.#left -= enough.messages.length;
    this.#io.stdout.write(this.#options.json ? printJson(enough) : printText(enough));
  }
}

function badTopic(word: string): Mistake {
  const meant = /^[0-9A-Fa-f]{16,}$/.test(word) ? `0x${word}` : word || "demo";
  const todo = word.includes(":") ? "See --help." : `Did you mean group:${meant}?`;
  return { where: JSON.stringify(word), wanted: `a topic as ${TOPIC_FORMS}`, came: "something else", todo };
}

function endCode(io: Io): number {
  return io.signal.aborted ? interruptedCode(io.signal) : EXIT.ok.code;
}

function tellUnreachable(io: Io, { address }: Options, why: string): number {
  const todo = "start a node with `tideline serve`, or name another with --address";
  tellTrouble(io, { what: `cannot reach the node at ${address}`, why, todo });
  return EXIT.unreachable.code;
}

function tellFailure(io: Io, options: Options, error: unknown): number {
  if (io.signal.aborted) return interruptedCode(io.signal);
  if (!(error instanceof NodeError)) throw error;
  if (error.unreachable) return tellUnreachable(io, options, error.message);
  const what = `the node at ${options.address} refused the stream`;
  tellTrouble(io, {
    what,
    why: error.message,
    todo: "correct what was asked for; the same question gets the same answer",
  });
  return EXIT.refused.code;
}
