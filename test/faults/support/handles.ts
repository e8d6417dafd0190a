import { readdirSync, readFileSync } from "node:fs";

/** Of /proc/net/tcp. */
const ESTABLISHED = "01";

/** What a process holds. */
export interface Handles {
  /** Resident memory. */
  readonly rssBytes: number;
  /** Open files and sockets. */
  readonly fds: number;
}

export function handlesOf(pid: number): Handles {
  const [, kib = "0"] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return { rssBytes: Number(kib) * 1_024, fds: readdirSync(`/proc/${pid}/fd`).length };
}

/** How long the first thread of a process has waited for a core so far, in milliseconds: others had them all. */
export function waitedForCoreMs(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[1]) / 1_000_000;
}

/** How many TCP connections a port of this machine has that neither side has begun to close. */
export function connectionsAt(address: string): number {
  const port = Number(address.split(":").at(-1)).toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${port}`) === true && state === ESTABLISHED).length;
}
