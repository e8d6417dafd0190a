/** How live delivery fares while something else goes on: a small steady load in a process of its own. */

import { join } from "node:path";

const PROGRAM = join(import.meta.dir, "live-probe-load.ts");

export interface LiveProbeResult {
  /** From publishing to delivery, in milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly samples: number;
}

export interface LiveProbe {
  /** Tells how it went so far, and begins anew. */
  begin(): Promise<LiveProbeResult>;
  /** Ends it and tells how it went since it began; fails unless every message came once. */
  end(): Promise<LiveProbeResult>;
}

/** Starts 20 streams that get 200 messages a second together; resolves when they are warm, after `warmUpMs`. */
export async function startLiveProbe(address: string, warmUpMs: number): Promise<LiveProbe> {
  const child = Bun.spawn([process.execPath, PROGRAM, `--address=${address}`, `--warmUpMs=${warmUpMs}`], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  const lines = readLines(child.stdout);
  if ((await lines.next()).value !== "warm") throw new Error("the live probe ended before it was warm");
  const next = async (): Promise<LiveProbeResult> => {
    const { value } = await lines.next();
    if (value === undefined) throw new Error("the live probe failed");
    return JSON.parse(value);
  };
  return {
    begin: async () => {
      child.stdin.write("begin\n");
      child.stdin.flush();
      return await next();
    },
    end: async () => {
      child.stdin.end();
      const result = await next();
      if ((await child.exited) !== 0) throw new Error("the live probe failed");
      return result;
    },
  };
}

async function* readLines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
