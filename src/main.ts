import { openProcessIo } from "./base/process";
import { run } from "./cli/run";

process.exit(await main());

/** Runs the command and sees to it that all it wrote is on its way before the process ends. */
async function main(): Promise<number> {
  await using joined = openProcessIo();
  return await run(process.argv.slice(2), joined.io);
}
