import { expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wrapPayload } from "../../src/cli/payload";
import { NodeApi } from "../../src/client";
import { GROUP, topicOf } from "../../src/core/topic";
import type { ShownStreams } from "../../src/operator/streams";
import { GrpcClient, type SubscribeCall } from "../support/h2-grpc";
import { isAlive, QUIET_SETTINGS, ServeProcess } from "../support/serve-process";
import { until } from "../support/until";

/** Enough that both processes get some: the system spreads connections by chance. */
const CLIENTS = 12;
const MESSAGES = 20;

/** Processes of workers that a node has started. */
function workersOf(parent: number): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [, state = ""] = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ");
        return (
          Number(state.split(" ")[1]) === parent &&
          readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("main.ts\0serve")
        );
      } catch {
        return false; // ended meanwhile
      }
    })
    .map(Number);
}

/** Waits for the worker of a node, or for the one that comes after another. One that is being started may be out of sight for a moment. */
async function workerOf(parent: number, after?: number): Promise<number> {
  const found: number[] = [];
  await until(() => {
    found.push(...workersOf(parent).filter((pid) => pid !== after));
    return found.length > 0;
  }, "a worker to start");
  const [pid] = found;
  if (pid === undefined) throw new Error("a worker was found and is gone");
  return pid;
}

test("two processes on one port: each stream gets what either was given, once and in order (I1, I2, I3)", async () => {
  const dataDir = mkdtempSync(join(tmpdir(), "tideline-workers-"));
  const env = { ...process.env, ...QUIET_SETTINGS, TIDELINE_DATA_DIR: dataDir, TIDELINE_PROCESSES: "2" };
  const node = await ServeProcess.start({ command: [process.execPath, "src/main.ts", "serve"], env });
  const clients: GrpcClient[] = [];
  try {
    const worker = await workerOf(node.pid);
    await until(() => listeners(node.grpcPort) === 2, "the worker to listen");
    const group = Buffer.from("shared");
    const streams: SubscribeCall[] = [];
    for (let n = 0; n < CLIENTS; n++) {
      const client = new GrpcClient(node.grpcPort);
      clients.push(client);
      const stream = client.subscribe();
      stream.mutate(1n, { adds: [{ topic: topicOf(GROUP, group) }] });
      streams.push(stream);
    }
    await Promise.all(streams.map((stream) => stream.completed(1n)));
    const publish = async () => {
      using api = new NodeApi({ address: `http://${node.serving.grpc}` });
      for (let n = 0; n < MESSAGES; n++) await api.sendGroupMessages([{ data: wrapPayload(group, Buffer.from("x")) }]);
    };
    await Promise.all(Array.from({ length: 6 }, publish));
    const expected = Array.from({ length: 6 * MESSAGES }, (_, n) => BigInt(n + 1));
    for (const stream of streams) {
      await until(() => stream.idsOf(0n).length >= expected.length, "all messages on a stream");
      expect(stream.idsOf(0n)).toEqual(expected);
    }

    let metrics = "";
    // A process that is too busy to answer within a second is left out.
    await until(async () => {
      metrics = await (await fetch(`http://${node.serving.admin}/metrics`)).text();
      return metrics.includes("tideline_processes 2");
    }, "metrics of both processes");
    expect(metrics).toContain(`tideline_streams_open ${CLIENTS}`);
    expect(metrics).toContain(`tideline_messages_published_total{kind="group"} ${expected.length}`);
    expect(metrics).toContain(`tideline_publish_seconds_count ${expected.length}`);

    const response = await fetch(`http://${node.serving.admin}/streams`);
    const shown: ShownStreams = JSON.parse(await response.text());
    expect([shown.open, shown.processes, shown.streams.length]).toEqual([CLIENTS, 2, CLIENTS]);
    expect(shown.streams.every(({ pid }) => pid === node.pid || pid === worker)).toBe(true);

    process.kill(worker, "SIGKILL");
    const again = await workerOf(node.pid, worker);
    await node.end("SIGKILL");
    await until(() => !isAlive(again), "the worker to end with its node");
  } finally {
    for (const client of clients) client[Symbol.dispose]();
    await node.end("SIGKILL");
    rmSync(dataDir, { recursive: true, force: true });
  }
});

/** How many listening TCP sockets there are on a port. */
function listeners(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  return readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter(([, local, , state]) => local?.endsWith(`:${hex}`) === true && state === "0A").length;
}
