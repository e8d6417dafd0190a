/** Help and README sections, made from the tables of settings. */

import type { Setting, Settings, ValuesOf } from "./args";

/** Two lines of help per setting: flag, default and variable; then the sentence. */
export function settingsHelp(settings: Settings): string {
  const entries = Object.values(settings).map((setting) => `  ${flagLine(setting)}\n      ${setting.sentence}`);
  return [...entries, "  -h, --help\n      Print this."].join("\n");
}

/** The README's table of the settings. */
export function settingsMarkdown(settings: Settings): string {
  const rows = Object.values(settings).map(({ env, flag, kind, default: fallback, sentence }) =>
    row([code(env), code(`--${flag}`), cellText(kind.unit), code(fallback), cellText(sentence)]),
  );
  return [row(["variable", "flag", "value", "default", "what it decides"]), row(Array(5).fill("---")), ...rows].join(
    "\n",
  );
}

/** One setting and what it is, for a page or a log. */
export interface ShownSetting {
  readonly name: string;
  readonly env: string | undefined;
  readonly flag: string;
  /** As one would write it; of a secret only what may be seen. */
  readonly value: string;
  readonly sentence: string;
}

/** The settings and their present values, in the order of the table. */
export function showSettings<S extends Settings>(settings: S, values: ValuesOf<S>): readonly ShownSetting[] {
  const byName = new Map<string, unknown>(Object.entries(values));
  return Object.entries(settings).map(([name, { env, flag, kind, sentence }]) => ({
    name,
    env,
    flag,
    value: kind.show(byName.get(name)),
    sentence,
  }));
}

function flagLine({ flag, env, kind, default: fallback }: Setting<unknown>): string {
  const value = kind.unit.includes(" ") ? `<${kind.unit}>` : kind.unit.toUpperCase();
  const facts = [fallback === "" || kind.toggle ? undefined : `default ${fallback}`, env].filter(isGiven);
  return `--${flag}${kind.toggle ? "" : ` ${value}`}${facts.length === 0 ? "" : `  (${facts.join("; ")})`}`;
}

function isGiven(fact: string | undefined): fact is string {
  return fact !== undefined;
}

function row(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

function code(text: string | undefined): string {
  return text === undefined || text === "" ? "" : `\`${text}\``;
}

function cellText(text: string): string {
  return text.replaceAll("|", "\\|");
}
