import { readFile } from "node:fs/promises";
import type { Mistake, ValuesOf } from "../base/args";
import { integer, optional, perSecond, text, toggle } from "../base/args-values";
import { systemClock } from "../base/clock";
import { CLIENT_SETTINGS } from "../base/config";
import type { Io } from "../base/process";
import { messageOf } from "../base/thrown";
import { NodeApi, NodeError } from "../client/index";
import { defineCommand } from "./command";
import { EXIT, interruptedCode, tellMistakes, tellTrouble } from "./exit";
import { fromHex, identifier } from "./identifiers";
import { readLines } from "./lines";
import { Publisher, type Target } from "./publisher";

const SETTINGS = {
  group: { flag: "group", kind: optional(identifier), default: "", sentence: "Publish to this group." },
  welcome: {
    flag: "welcome",
    kind: optional(identifier),
    default: "",
    sentence: "Publish welcomes to the installation with this key.",
  },
  file: {
    flag: "file",
    kind: optional(text("file")),
    default: "",
    sentence: "Publish the whole file as one message, instead of DATA or lines.",
  },
  count: {
    flag: "count",
    kind: integer("times", 1, 100_000_000),
    default: "1",
    sentence: "Publish each piece of data this many times; {n} in it becomes 1, 2, 3 …",
  },
  rate: {
    flag: "rate",
    kind: optional(perSecond),
    default: "",
    sentence: "Messages per second; without it, as fast as possible.",
  },
  hex: { flag: "hex", kind: toggle, default: "", sentence: "DATA and lines are hex, as 0x00ff." },
  raw: {
    flag: "raw",
    kind: toggle,
    default: "",
    sentence: "Send data as it is, unwrapped; group messages must then be whole MLS messages, which name their group.",
  },
  json: { flag: "json", kind: toggle, default: "", sentence: "Print one JSON object per message." },
  ...CLIENT_SETTINGS,
} as const;

type Options = ValuesOf<typeof SETTINGS>;

const MAX_LINE_BYTES = 3 * 1024 ** 2;

export const publishCommand = defineCommand({
  name: "publish",
  summary: "publish messages to a group, or welcomes to an installation",
  details: [
    "Data comes from the words after the flags, from --file, or else from stdin, one message per line.",
    "It is wrapped in a well-formed MLS PrivateMessage, unencrypted and made unique, unless --raw is given.",
    "An ID is text (demo), or hex (0x64656d6f). Each message is printed once the node has stored it.",
  ].join("\n"),
  settings: SETTINGS,
  positionals: { usage: "[DATA…]", wanted: "data", min: 0, max: Number.MAX_SAFE_INTEGER },
  examples: [
    { line: "tideline publish --group demo hello world", does: "Two messages." },
    { line: "tideline publish --group demo --count 1000 --rate 50/s 'tick {n}'", does: "A message every 20 ms." },
    { line: "dmesg -w | tideline publish --group 0x0a0b0c", does: "Every line, as it comes." },
    { line: "tideline publish --raw --file commit.mls", does: "An MLS message as another program made it." },
  ],
  run: (options, words, io) => runPublish(options, words, io),
});

/** Publishes what it is given; returns the exit code. */
async function runPublish(options: Options, words: readonly string[], io: Io): Promise<number> {
  const target = targetOf(options);
  const mistakes = [...mistakesOf(options, words), ...(target.kind === "mistake" ? [target.mistake] : [])];
  if (target.kind === "mistake" || mistakes.length > 0) return tellMistakes(io, "publish", mistakes);
  using api = new NodeApi({ address: options.address });
  const publisher = new Publisher({ plan: { ...options, target }, api, io, clock: systemClock });
  try {
    for await (const data of dataOf(options, words, io)) await publisher.publish(data);
    return io.signal.aborted ? interruptedCode(io.signal) : EXIT.ok.code;
  } catch (error) {
    if (io.signal.aborted) return interruptedCode(io.signal);
    return tellFailure(io, options, error);
  } finally {
    publisher.summarise();
  }
}

function targetOf({ group, welcome, raw }: Options): Target | { readonly kind: "mistake"; readonly mistake: Mistake } {
  const mistake = (where: string, wanted: string, came: string, todo: string) =>
    ({ kind: "mistake", mistake: { where, wanted, came, todo } }) as const;
  if (group !== undefined && welcome !== undefined) {
    return mistake("--group and --welcome", "one of them", "both", "Leave one of them out.");
  }
  if (welcome !== undefined) return { kind: "welcome", installationKey: welcome };
  if (!raw) {
    if (group !== undefined) return { kind: "group", groupId: group };
    return mistake("--group or --welcome", "where to publish to", "neither", "Write --group demo, for example.");
  }
  if (group === undefined) return { kind: "rawGroup" };
  return mistake("--group", "no group beside --raw", "one", "Leave it out: an MLS message names its group itself.");
}

function mistakesOf({ file, count, raw, hex }: Options, words: readonly string[]): readonly Mistake[] {
  const mistakes: Mistake[] = [];
  if (file !== undefined && words.length > 0) {
    mistakes.push({ where: "--file", wanted: "a file or DATA", came: "both", todo: "Leave one of them out." });
  }
  if (raw && count > 1) {
    const todo = "Leave one of them out: the same bytes sent again are the same message.";
    mistakes.push({ where: "--count", wanted: "no count beside --raw", came: "one", todo });
  }
  for (const word of hex ? words : []) {
    if (fromHex(word) !== undefined) continue;
    mistakes.push({ where: JSON.stringify(word), wanted: "hex as 0x00ff", came: "text", todo: "Leave --hex out." });
  }
  return mistakes;
}

/** The data to publish; what is there at the same time comes together. */
async function* dataOf(
  { file, hex }: Options,
  words: readonly string[],
  io: Io,
): AsyncGenerator<readonly Uint8Array[]> {
  if (file !== undefined) {
    yield [await readFile(file)];
    return;
  }
  const decode = (line: Uint8Array) => (hex ? (fromHex(Buffer.from(line).toString()) ?? badLine()) : line);
  if (words.length > 0) {
    yield words.map((word) => decode(Buffer.from(word)));
    return;
  }
  for await (const lines of readLines(io.stdin, MAX_LINE_BYTES, io.signal)) yield lines.map(decode);
}

function badLine(): never {
  throw new RangeError("a line that is not hex as 0x00ff");
}

function tellFailure(io: Io, { address, file }: Options, error: unknown): number {
  const why = messageOf(error);
  if (error instanceof NodeError && error.unreachable) {
    const todo = "start a node with `tideline serve`, or name another with --address";
    tellTrouble(io, { what: `cannot reach the node at ${address}`, why, todo });
    return EXIT.unreachable.code;
  }
  if (error instanceof NodeError) {
    const todo = error.retryable
      ? "try again; what was printed is stored"
      : "correct the data; what was printed is stored";
    tellTrouble(io, { what: `the node at ${address} did not store the message`, why, todo });
    return error.retryable ? EXIT.failed.code : EXIT.refused.code;
  }
  const source = file === undefined ? "stdin" : file;
  tellTrouble(io, { what: `cannot read ${source}`, why, todo: "check that it is there and holds what is meant" });
  return EXIT.failed.code;
}
