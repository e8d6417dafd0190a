import type { ValuesOf } from "../base/args";
import { integer, optional, text, toggle, type ValueKind } from "../base/args-values";
import { CASE_GROUPS, type CaseGroup } from "../conformance/case";
import { defineCommand } from "./command";

/** Some of the groups of cases, with commas between them. */
const GROUPS: ValueKind<readonly CaseGroup[]> = {
  wanted: `groups of cases with commas between them: ${CASE_GROUPS.join(", ")}`,
  unit: "groups",
  parse: (given) => {
    const words = given.split(",").map((word) => word.trim());
    const value = CASE_GROUPS.filter((group) => words.includes(group));
    return value.length === new Set(words).size ? { value } : undefined;
  },
  show: (value) => value.join(","),
};

const SETTINGS = {
  group: { flag: "group", kind: optional(GROUPS), default: "", sentence: `Only these: ${CASE_GROUPS.join(", ")}.` },
  case: {
    flag: "case",
    kind: optional(text("ids")),
    default: "",
    sentence: "Only the cases with these ids, with commas between them; --list shows them.",
  },
  list: { flag: "list", kind: toggle, default: "", sentence: "Only list the cases: id, rules, level and promise." },
  json: {
    flag: "json",
    kind: toggle,
    default: "",
    sentence: "Print one JSON object per case, as soon as it is through.",
  },
  junit: { flag: "junit", kind: optional(text("file")), default: "", sentence: "Also write JUnit XML to this file." },
  slow: {
    flag: "slow",
    kind: toggle,
    default: "",
    sentence: "Also run what lasts several keepalive intervals where those are longer than 5 s.",
  },
  strict: { flag: "strict", kind: toggle, default: "", sentence: "What differs by policy is a failure." },
  concurrency: {
    flag: "concurrency",
    kind: integer("cases", 1, 100),
    default: "12",
    sentence: "Cases under way at once.",
  },
  patience: {
    flag: "patience",
    kind: integer("seconds", 1, 600),
    default: "5",
    sentence: "How long a case waits for what has to come soon: more for a node that is slow or far away.",
  },
  fuzz: {
    flag: "fuzz",
    kind: optional(integer("seconds", 1, 86_400)),
    default: "",
    sentence: "Instead of the cases, play random scripts for so long; a failing one is made short and printed.",
  },
  seed: {
    flag: "seed",
    kind: optional(integer("number", 0, 2 ** 32 - 1)),
    default: "",
    sentence: "Of the first random script; chosen at random unless given.",
  },
} as const;

export type ConformanceOptions = ValuesOf<typeof SETTINGS>;

const CODES = [
  "  0    every case passed, or differs by policy only",
  "  1    a case failed",
  "  2    the node at URL could not be spoken to, or not to the end; or, as with every command, the command line is wrong: stderr says which",
  "  130  ended by Ctrl-C, 143 by SIGTERM: what was through is reported",
].join("\n");

export const conformanceCommand = defineCommand({
  name: "conformance",
  summary: "hold a node, this one or another's, against the protocol",
  details: [
    "URL is the address of a node's gRPC port, as 127.0.0.1:5556 or https://host. Each case uses topics that nobody",
    "else has, so the node may be in use; what is published stays. Cases where servers may decide differently are",
    "labelled, not failed.",
  ].join("\n"),
  settings: SETTINGS,
  positionals: { usage: "URL", wanted: "the address of a node", min: 0, max: 1 },
  exits: CODES,
  examples: [
    { line: "tideline conformance 127.0.0.1:5556", does: "Every case, as a table." },
    {
      line: "tideline conformance http://node:5556 --group liveness --slow",
      does: "Pings and Pongs, at any interval.",
    },
    { line: "tideline conformance http://node:5556 --json --junit report.xml", does: "For a build server." },
    { line: "tideline conformance http://node:5556 --fuzz 60 --seed 7", does: "Random scripts for a minute." },
    { line: "tideline conformance --list", does: "What there is." },
  ],
  // The cases are loaded only by whoever runs them: the other commands start faster without.
  run: async (options, words, io) => (await import("./conformance-run")).runCases(options, words, io),
});
