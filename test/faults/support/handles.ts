import { readdirSync, readFileSync } from "node:fs";

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
