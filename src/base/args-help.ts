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

/** The settings that have a variable, as another process would be given them; of a secret only what may be seen. */
export function settingsEnvironment<S extends Settings>(
  settings: S,
  values: ValuesOf<S>,
): Readonly<Record<string, string>> {
  const byName = new Map<string, unknown>(Object.entries(values));
  const variables = Object.entries(settings).flatMap(([name, { env, kind }]) =>
    env === undefined ? [] : [[env, kind.show(byName.get(name))] as const],
  );
  return Object.fromEntries(variables);
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
