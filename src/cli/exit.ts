/** How a command ends: the exit codes, and what is said on stderr. */

import { describeMistake, type Mistake } from "../base/args";
import { exitCodeOf, Interrupted, type Io } from "../base/process";

/** Exit codes, as the help prints them. */
export const EXIT = {
  ok: { code: 0, sentence: "done" },
  failed: { code: 1, sentence: "failed; stderr says why" },
  usage: { code: 2, sentence: "the command line or a variable is wrong; nothing was done" },
  unreachable: { code: 3, sentence: "the node could not be reached" },
  refused: { code: 4, sentence: "the node refused what was asked" },
  interrupted: { code: exitCodeOf("SIGINT"), sentence: "ended by Ctrl-C" },
  terminated: { code: exitCodeOf("SIGTERM"), sentence: "ended by SIGTERM" },
  unread: { code: exitCodeOf("SIGPIPE"), sentence: "the reader of the output went away" },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly sentence: string }>>;

export function exitCodesHelp(): string {
  return Object.values(EXIT)
    .map(({ code, sentence }) => `  ${String(code).padEnd(5)}${sentence}`)
    .join("\n");
}

/** Something that went wrong: what, why, what to do. */
export interface Trouble {
  readonly what: string;
  readonly why: string;
  readonly todo: string;
}

export function tellTrouble(io: Io, { what, why, todo }: Trouble): void {
  io.stderr.write(`tideline: ${what}\n  why:  ${why}\n  do:   ${todo}\n`);
}

/** Tells every mistake and returns the exit code for wrong usage. */
export function tellMistakes(io: Io, command: string, mistakes: readonly Mistake[]): number {
  const count = mistakes.length === 1 ? "a mistake" : `${mistakes.length} mistakes`;
  const lines = mistakes.map((mistake) => `  ${describeMistake(mistake)}\n`);
  io.stderr.write(`tideline ${command}: ${count}, nothing was done\n${lines.join("")}`);
  return EXIT.usage.code;
}

/** The exit code of a command that ended because it was asked to. */
export function interruptedCode(signal: AbortSignal): number {
  const reason: unknown = signal.reason;
  return reason instanceof Interrupted ? exitCodeOf(reason.by) : EXIT.interrupted.code;
}
