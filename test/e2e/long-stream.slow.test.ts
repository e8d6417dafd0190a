import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { wrapPayload } from "../../src/cli/payload";
import { NodeApi } from "../../src/client";
import { GROUP, topicOf } from "../../src/core/topic";
import { GrpcClient } from "../support/h2-grpc";
import { QUIET_SETTINGS, ServeProcess } from "../support/serve-process";
import { until } from "../support/until";

/** Longer than any timeout of a server or a proxy that we know of, and than four keepalive intervals. */
const LIFE_MS = 135_000;

test(
  "a stream of a stock client lives past 130 s with default settings, and takes a late Mutate (R-22, R-42)",
  async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "tideline-long-"));
    try {
      const command = [process.execPath, "src/main.ts", "serve"];
      const env = { ...process.env, ...QUIET_SETTINGS, TIDELINE_DATA_DIR: dataDir };
      await using node = await ServeProcess.start({ command, env });
      using client = new GrpcClient(node.grpcPort);
      using api = new NodeApi({ address: `http://${node.serving.grpc}` });
      const early = Buffer.from("early");
      const late = Buffer.from("late");
      const send = (groupId: Uint8Array) => api.sendGroupMessages([{ data: wrapPayload(groupId, Buffer.from("x")) }]);

      const stream = client.subscribe();
      stream.mutate(1n, { adds: [{ topic: topicOf(GROUP, early) }] });
      await stream.completed(1n);
      const openedAt = performance.now();
      await until(() => performance.now() - openedAt > LIFE_MS, "a long time to pass", LIFE_MS + 1_000);
      expect(stream.status).toBeUndefined();
      expect(stream.count("ping")).toBe(4);

      await send(late);
      stream.mutate(2n, { adds: [{ topic: topicOf(GROUP, late) }] });
      await stream.completed(2n);
      expect(stream.idsOf(2n)).toEqual([1n]);
      await send(early);
      await send(late);
      await until(() => stream.idsOf(0n).length === 2, "the live messages of both topics");
      expect(stream.idsOf(0n)).toEqual([2n, 3n]);
      stream.call.end();
      expect((await stream.ended()).code).toBe(0);
    } finally {
      rmSync(dataDir, { recursive: true, force: true });
    }
  },
  LIFE_MS + 60_000,
);
