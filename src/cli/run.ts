/** From a command line to an exit code. */

import { NO_POSITIONALS, nearest } from "../base/args";
import { KNOWN_ENV, SERVE_SETTINGS } from "../base/config";
import type { Io } from "../base/process";
import { VERSION } from "../base/version";
import { type Command, defineCommand } from "./command";
import { conformanceCommand } from "./conformance";
import { EXIT, exitCodesHelp, tellTrouble } from "./exit";
import { publishCommand } from "./publish";
import { tailCommand } from "./tail";

const serveCommand = defineCommand({
  name: "serve",
  summary: "run a node",
  details: "Without a database URL it runs a Postgres of its own in the data directory. Ctrl-C stops it cleanly.",
  settings: SERVE_SETTINGS,
  positionals: NO_POSITIONALS,
  knownEnv: KNOWN_ENV,
  examples: [
    { line: "tideline serve", does: "A node on this machine, with an embedded database in ./.tideline." },
    { line: "DATABASE_URL=postgres://me:secret@db/tide tideline serve", does: "A node on that database." },
    { line: "tideline serve --grpc-listen 0.0.0.0:5556 --web-listen off", does: "For other machines, gRPC only." },
  ],
  // The other commands need none of what a node is made of: loading it would be most of their start.
  run: async (config, _words, io) => (await import("./serve")).runServe(config, io),
});

const versionCommand = defineCommand({
  name: "version",
  summary: "print the version",
  details: "",
  settings: {},
  positionals: NO_POSITIONALS,
  examples: [{ line: "tideline version", does: "As in 0.1.0." }],
  run: async (_options, _words, io) => {
    io.stdout.write(`${VERSION}\n`);
    return EXIT.ok.code;
  },
});

const COMMANDS: readonly Command[] = [serveCommand, publishCommand, tailCommand, conformanceCommand, versionCommand];

/** Runs the command that `argv` names and returns its exit code. Never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const [word, ...rest] = argv;
  if (word === undefined || word === "help" || word === "-h" || word === "--help") return help(rest, io);
  if (word === "--version" || word === "-V") return runCommand(versionCommand, rest, io);
  const command = COMMANDS.find(({ name }) => name === word);
  return command === undefined ? unknownCommand(word, io) : runCommand(command, rest, io);
}

async function runCommand(command: Command, argv: readonly string[], io: Io): Promise<number> {
  try {
    return await command.run(argv, io);
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tellTrouble(io, {
      what: `${command.name} failed unexpectedly`,
      why,
      todo: "this is a bug of tideline: please report it",
    });
    return EXIT.failed.code;
  }
}

function help([word]: readonly string[], io: Io): number {
  if (word === undefined || word.startsWith("-")) {
    io.stdout.write(overview());
    return EXIT.ok.code;
  }
  const command = COMMANDS.find(({ name }) => name === word);
  if (command === undefined) return unknownCommand(word, io);
  io.stdout.write(command.help());
  return EXIT.ok.code;
}

function unknownCommand(word: string, io: Io): number {
  const names = COMMANDS.map(({ name }) => name);
  const near = nearest(word, names);
  const todo = near === undefined ? "see `tideline help`" : `did you mean \`tideline ${near}\`?`;
  const what = `there is no command ${JSON.stringify(word)}`;
  tellTrouble(io, { what, why: `the commands are ${names.join(", ")} and help`, todo });
  return EXIT.usage.code;
}

function overview(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2;
  const commands = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}\n`).join("");
  return [
    `tideline ${VERSION}: a self-hosted node for XIP-83 mutable subscription streams, and a client for it\n`,
    `Usage: tideline COMMAND [flags]\n`,
    `Commands:\n${commands}`,
    "`tideline help COMMAND` lists the flags, variables and examples of a command.\n",
    `Exit codes:\n${exitCodesHelp()}\n`,
  ].join("\n");
}
