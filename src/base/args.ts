/**
 * Settings are one table per command: what a setting is called in the environment and on the command line,
 * what it may be, what it is when nobody says. Parsing, help and README are made from the table.
 */

import { parseArgs } from "node:util";
import type { ValueKind } from "./args-values";

export interface Setting<T> {
  /** Environment variable, for settings that have one. An empty variable counts as not set. */
  readonly env?: string;
  /** Flag without its dashes; it wins over the variable. */
  readonly flag: string;
  readonly kind: ValueKind<T>;
  /** The default as one would write it; it is read by `kind`. Empty where there is none. */
  readonly default: string;
  /** One sentence: what it decides. */
  readonly sentence: string;
}

/** A table of settings: key = name in the program. */
export type Settings = Readonly<Record<string, Setting<unknown>>>;

/** What a table reads to: inferred from it, so a setting is declared once. */
export type ValuesOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** What may stand beside the flags: at least `min`, at most `max` words. */
export interface Positionals {
  /** As the usage line shows them. */
  readonly usage: string;
  readonly wanted: string;
  readonly min: number;
  readonly max: number;
}

export const NO_POSITIONALS: Positionals = { usage: "", wanted: "no further words", min: 0, max: 0 };

/** Something in the environment or on the command line that cannot be meant: what, why, what to do. */
export interface Mistake {
  /** The variable, flag or word it is about. */
  readonly where: string;
  readonly wanted: string;
  /** What came instead; a secret is not repeated. */
  readonly came: string;
  readonly todo: string;
}

export type ParseResult<S extends Settings> =
  | { readonly kind: "parsed"; readonly values: ValuesOf<S>; readonly positionals: readonly string[] }
  /** `--help` or `-h` stood somewhere: nothing else was looked at. */
  | { readonly kind: "help" }
  | { readonly kind: "mistakes"; readonly mistakes: readonly Mistake[] };

export interface ParseInput<S extends Settings> {
  readonly settings: S;
  readonly positionals: Positionals;
  /** The command line behind the command's name. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /**
   * Every variable that may begin with TIDELINE_. Given by commands for which an unknown one is a mistake;
   * others ignore what they do not know.
   */
  readonly knownEnv?: readonly string[];
}

/** Reads settings from flags and environment (flags win), or tells every mistake at once. The values are frozen. */
export function parseSettings<S extends Settings>(input: ParseInput<S>): ParseResult<S> {
  const line = readLine(input.settings, input.argv);
  if (line.help) return { kind: "help" };
  const mistakes = [
    ...line.mistakes,
    ...countMistakes(input.positionals, line.positionals),
    ...unknownVariables(input.env, input.knownEnv),
  ];
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(input.settings)) {
    const { where, text } = given(setting, line.flags, input.env);
    const parsed = setting.kind.parse(text);
    if (parsed === undefined) mistakes.push(badValue(setting, where, text));
    else values[name] = parsed.value;
  }
  const complete: unknown = Object.freeze(values);
  if (mistakes.length > 0 || !isComplete(input.settings, complete)) return { kind: "mistakes", mistakes };
  return { kind: "parsed", values: complete, positionals: line.positionals.map((word) => word.text) };
}

/** A mistake as one line of text. */
export function describeMistake({ where, wanted, came, todo }: Mistake): string {
  return `${where}: wanted ${wanted}; got ${came}. ${todo}`;
}

/** Every value was read by the kind of its setting, so a value per name is all that can be missing. */
function isComplete<S extends Settings>(settings: S, values: unknown): values is ValuesOf<S> {
  return typeof values === "object" && values !== null && Object.keys(settings).every((name) => name in values);
}

/** A word of the command line that is no flag. `afterUnknown`: it may be the value of a flag we do not know. */
interface Word {
  readonly text: string;
  readonly afterUnknown: boolean;
}

interface Line {
  readonly help: boolean;
  /** Flag -> its text. */
  readonly flags: ReadonlyMap<string, string>;
  readonly positionals: readonly Word[];
  readonly mistakes: readonly Mistake[];
}

function readLine(settings: Settings, argv: readonly string[]): Line {
  const byFlag = new Map(Object.values(settings).map((setting) => [setting.flag, setting]));
  const options: Record<string, { type: "string" | "boolean"; short?: string }> = {
    help: { type: "boolean", short: "h" },
  };
  for (const { flag, kind } of byFlag.values()) options[flag] = { type: kind.toggle ? "boolean" : "string" };
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const flags = new Map<string, string>();
  const positionals: Word[] = [];
  const mistakes: Mistake[] = [];
  let help = false;
  let unknownAt = -2;
  for (const token of tokens) {
    if (token.kind === "option-terminator") continue;
    if (token.kind === "positional") {
      positionals.push({ text: token.value, afterUnknown: token.index === unknownAt + 1 });
      continue;
    }
    const setting = byFlag.get(token.name);
    if (token.name === "help") help = true;
    else if (setting === undefined) {
      unknownAt = token.index;
      mistakes.push(unknownFlag(token.rawName, [...byFlag.keys()]));
    } else {
      if (flags.has(token.name)) mistakes.push(givenTwice(token.rawName));
      const problem = valueProblem(setting, token.value, token.inlineValue === true);
      if (problem === undefined) flags.set(token.name, token.value ?? "true");
      else mistakes.push(problem);
    }
  }
  return { help, flags, positionals, mistakes };
}

function valueProblem(
  { flag, kind }: Setting<unknown>,
  value: string | undefined,
  inline: boolean,
): Mistake | undefined {
  const where = `--${flag}`;
  if (kind.toggle) {
    return value === undefined
      ? undefined
      : { where, wanted: kind.wanted, came: "a value", todo: `Write ${where} alone.` };
  }
  if (value === undefined) {
    return { where, wanted: kind.wanted, came: "nothing", todo: `Write ${where} VALUE.` };
  }
  // A forgotten value would otherwise swallow the flag that follows.
  if (!inline && value.startsWith("-") && value !== "-") {
    return { where, wanted: kind.wanted, came: "what looks like a flag", todo: `Write ${where}=VALUE if it is meant.` };
  }
  return undefined;
}

/** The text of a setting and where it stood: flag, then variable, then default. */
function given(
  { flag, env, default: text }: Setting<unknown>,
  flags: ReadonlyMap<string, string>,
  environment: Readonly<Record<string, string | undefined>>,
): { readonly where: string; readonly text: string } {
  const fromFlag = flags.get(flag);
  if (fromFlag !== undefined) return { where: `--${flag}`, text: fromFlag };
  const fromEnv = env === undefined ? undefined : environment[env];
  if (env !== undefined && fromEnv !== undefined && fromEnv !== "") return { where: env, text: fromEnv };
  return { where: `--${flag}`, text };
}

function badValue(setting: Setting<unknown>, where: string, text: string): Mistake {
  const { kind, default: fallback } = setting;
  return {
    where,
    wanted: kind.wanted,
    came: kind.secret ? "something else (not shown)" : text === "" ? "nothing" : JSON.stringify(text),
    todo: fallback === "" ? "Correct it or leave it out." : `Correct it, or leave it out for ${fallback}.`,
  };
}

function unknownFlag(rawName: string, known: readonly string[]): Mistake {
  const near = nearest(rawName.replace(/^-+/, ""), known);
  return {
    where: rawName,
    wanted: "a flag of this command",
    came: "an unknown one",
    todo: near === undefined ? "See --help for the flags there are." : `Did you mean --${near}?`,
  };
}

function givenTwice(rawName: string): Mistake {
  return { where: rawName, wanted: "the flag once", came: "it again", todo: "Leave one of them out." };
}

function countMistakes({ wanted, min, max }: Positionals, words: readonly Word[]): readonly Mistake[] {
  if (words.length < min) {
    return [{ where: "arguments", wanted, came: words.length === 0 ? "none" : `${words.length}`, todo: "See --help." }];
  }
  return words
    .slice(max)
    .filter((word) => !word.afterUnknown)
    .map((word) => ({
      where: JSON.stringify(word.text),
      wanted,
      came: "one more",
      todo: "Leave it out, or see --help.",
    }));
}

const PREFIX = "TIDELINE_";

function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  known: readonly string[] | undefined,
): readonly Mistake[] {
  if (known === undefined) return [];
  return Object.keys(env)
    .filter((name) => name.startsWith(PREFIX) && !known.includes(name))
    .map((name) => {
      const near = nearest(name, known);
      const todo = near === undefined ? "Unset it; --help lists the variables there are." : `Did you mean ${near}?`;
      return { where: name, wanted: "a variable of tideline", came: "an unknown one", todo };
    });
}

/** The candidate that takes the fewest edits to become; `undefined` if even that one is no near miss. */
export function nearest(text: string, candidates: readonly string[]): string | undefined {
  let best: { readonly candidate: string; readonly edits: number } | undefined;
  for (const candidate of candidates) {
    const edits = editDistance(text.toLowerCase(), candidate.toLowerCase());
    if (best === undefined || edits < best.edits) best = { candidate, edits };
  }
  return best !== undefined && best.edits <= Math.max(2, text.length / 4) ? best.candidate : undefined;
}

/** Levenshtein's distance. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}
