/**
 * A reference that explains what waiting costs: how dear it is to touch memory again that has not been touched for a
 * while. Some machines take such memory away from whoever rests, and bring it back page by page when it is wanted; the
 * time for that counts as CPU time of the process that wants it.
 *
 * As a program it prints one line of JSON, a {@link Rest}.
 */

const PAGE_BYTES = 4_096;
const PAGES = 8_192;
const REST_MS = 1_000;

/** CPU time to touch one page, in microseconds. */
export interface Rest {
  readonly atOnceUs: number;
  readonly restedUs: number;
}

/** Measures in a process of its own, which has nothing else to do. */
export async function measureRest(): Promise<Rest> {
  const child = Bun.spawn([process.execPath, import.meta.path], { stdin: "ignore", stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await child.stdout.text());
}

function touch(memory: Uint8Array): number {
  const before = process.cpuUsage();
  for (let at = 0; at < memory.length; at += PAGE_BYTES) memory[at] = (memory[at] ?? 0) + 1;
  const { user, system } = process.cpuUsage(before);
  return (user + system) / PAGES;
}

if (import.meta.main) {
  const memory = new Uint8Array(PAGES * PAGE_BYTES);
  touch(memory);
  const atOnceUs = touch(memory);
  await Bun.sleep(REST_MS);
  console.log(JSON.stringify({ atOnceUs, restedUs: touch(memory) } satisfies Rest));
}
