/**
 * Loaded into a node's program before it: its wall clock goes ahead by as many milliseconds as the file says that
 * `FAULTS_WALL_CLOCK` names, behind if negative. The monotonic clock is left alone, as it is when a machine's time is set.
 */

import { readFileSync, watchFile } from "node:fs";

const file = process.env["FAULTS_WALL_CLOCK"];
if (file === undefined) throw new Error("FAULTS_WALL_CLOCK names no file");
const realNow = Date.now;
let offsetMs = readOffset(file);
watchFile(file, { interval: 20, persistent: false }, () => {
  offsetMs = readOffset(file);
});

const Shifted = new Proxy(Date, {
  construct: (target, args, newTarget) => Reflect.construct(target, args.length === 0 ? [Date.now()] : args, newTarget),
});
Date.now = () => realNow() + offsetMs;
globalThis.Date = Shifted;

function readOffset(path: string): number {
  return Number(readFileSync(path, "utf8")) || 0;
}
