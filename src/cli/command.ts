import { type ParseResult, type Positionals, parseSettings, type Settings, type ValuesOf } from "../base/args";
import { settingsHelp } from "../base/args-help";
import type { Io } from "../base/process";
import { exitCodesHelp, tellMistakes } from "./exit";

export interface CommandSpec<S extends Settings> {
  readonly name: string;
  /** One sentence: what it does. */
  readonly summary: string;
  /** What else there is to know, for its help; may be empty. */
  readonly details: string;
  readonly settings: S;
  readonly positionals: Positionals;
  /** Variables that may begin with TIDELINE_, where an unknown one is a mistake. */
  readonly knownEnv?: readonly string[];
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  /** The exit codes, as its help prints them, where they are not those of every command. */
  readonly exits?: string;
  /** Returns the exit code. */
  readonly run: (values: ValuesOf<S>, words: readonly string[], io: Io) => Promise<number>;
}

/** A command as the dispatcher sees it. */
export interface Command {
  readonly name: string;
  readonly summary: string;
  help(): string;
  run(argv: readonly string[], io: Io): Promise<number>;
}

/** Joins a command to the parsing of its arguments and to its help. */
export function defineCommand<S extends Settings>(spec: CommandSpec<S>): Command {
  return {
    name: spec.name,
    summary: spec.summary,
    help: () => helpOf(spec),
    run: (argv, io) => runParsed(spec, parse(spec, argv, io), io),
  };
}

function parse<S extends Settings>(spec: CommandSpec<S>, argv: readonly string[], io: Io): ParseResult<S> {
  const { settings, positionals, knownEnv } = spec;
  const input = { settings, positionals, argv, env: io.env };
  return parseSettings(knownEnv === undefined ? input : { ...input, knownEnv });
}

async function runParsed<S extends Settings>(spec: CommandSpec<S>, parsed: ParseResult<S>, io: Io): Promise<number> {
  switch (parsed.kind) {
    case "help":
      io.stdout.write(helpOf(spec));
      return 0;
    case "mistakes":
      return tellMistakes(io, spec.name, parsed.mistakes);
    case "parsed":
      return spec.run(parsed.values, parsed.positionals, io);
  }
}

function helpOf({
  name,
  summary,
  details,
  settings,
  positionals,
  examples,
  exits = exitCodesHelp(),
}: Omit<CommandSpec<Settings>, "run">): string {
  const words = positionals.usage === "" ? "" : ` ${positionals.usage}`;
  const paragraphs = [
    `tideline ${name}: ${summary}`,
    `Usage: tideline ${name} [flags]${words}`,
    details,
    `Flags (a flag wins over its variable):\n${settingsHelp(settings)}`,
    `Examples:\n${examples.map(({ line, does }) => `  ${line}\n      ${does}`).join("\n")}`,
    `Exit codes:\n${exits}`,
  ];
  return `${paragraphs.filter((paragraph) => paragraph !== "").join("\n\n")}\n`;
}
