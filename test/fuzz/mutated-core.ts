import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Mutant } from "./mutants";
import { loadSession, type MakeSession } from "./session-like";

const CORE = join(import.meta.dir, "../../src/core");

/**
 * The session of a copy of the core with a mutant's edits in it. The copy is gone again when this resolves.
 * @throws Error when a search string does not occur exactly once: the core has changed, and the mutant must follow.
 */
export async function loadMutated(mutant: Mutant): Promise<MakeSession> {
  const directory = mkdtempSync(join(tmpdir(), "tideline-mutant-"));
  try {
    cpSync(CORE, directory, { recursive: true });
    const file = join(directory, mutant.file);
    writeFileSync(file, mutated(readFileSync(file, "utf8"), mutant));
    return await loadSession(directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function mutated(source: string, { edits, breaks, file }: Mutant): string {
  let text = source;
  for (const { search, replacement } of edits) {
    const occurrences = text.split(search).length - 1;
    if (occurrences !== 1) {
      throw new Error(
        `the mutant "${breaks}" wants to replace ${JSON.stringify(search)}, which occurs ${occurrences} times in ` +
          `src/core/${file} instead of once: give it a search string that fits the present text`,
      );
    }
    text = text.replace(search, () => replacement);
  }
  return text;
}
