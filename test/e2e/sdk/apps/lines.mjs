/**
 * How a test talks to an app: lines of JSON.
 *
 *   stdin    {"id":1,"operation":"create","args":{…}}
 *   stdout   {"id":1,"value":{…}} or {"id":1,"error":"…"}, and {"event":…} for what happens by itself
 */

import { createInterface } from "node:readline";

export function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Answers each line by `call(operation, args)`, until stdin ends. */
export function answerLines(call) {
  createInterface({ input: process.stdin })
    .on("line", async (line) => {
      const { id, operation, args } = JSON.parse(line);
      try {
        tell({ id, value: (await call(operation, args)) ?? {} });
      } catch (error) {
        tell({ id, error: `${error?.message ?? error}` });
      }
    })
    .on("close", () => process.exit(0));
}
