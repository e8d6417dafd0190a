import { afterAll, beforeAll, expect, test } from "bun:test";
import { createMetrics } from "../../src/base/metrics";
import { Counters } from "../../src/core/session/account";
import { type AdminServer, missing, type Readiness, startAdmin } from "../../src/operator/admin";
import type { StreamSnapshot } from "../../src/operator/streams";

const canary = { silentMs: 100, limitMs: 15_000, lastMs: 3 };
const READY: Readiness = { migrated: true, lookedOnce: true, notifications: "listening", canary };

const metrics = createMetrics();
let readiness: Readiness | undefined;
let streams: readonly StreamSnapshot[] = [];
let admin: AdminServer;
let url: string;
beforeAll(async () => {
  admin = await startAdmin({ host: "127.0.0.1", port: 0, readiness: () => readiness, streams: () => streams, metrics });
  url = `http://127.0.0.1:${admin.address.port}`;
});
afterAll(async () => admin[Symbol.asyncDispose]());

test("/livez answers before the node is ready", async () => {
  readiness = undefined;
  const response = await fetch(`${url}/livez`);
  expect([response.status, await response.text()]).toEqual([200, "alive\n"]);
});

test.each([
  [undefined, ["the node is starting"]],
  [{ ...READY, migrated: false }, ["the database is not migrated"]],
  [{ ...READY, lookedOnce: false }, ["the store has not been looked at"]],
  [{ ...READY, notifications: "deaf" }, ["notifications of the database do not arrive"]],
  [
    { ...READY, canary: { ...canary, silentMs: 15_001 } },
    ["no canary has come through for 15001 ms; 15000 are allowed"],
  ],
  [
    { migrated: false, lookedOnce: false, notifications: "polling", canary },
    ["the database is not migrated", "the store has not been looked at"],
  ],
] as const)("/readyz is 503 and says what is missing (%#)", async (state, words) => {
  readiness = state;
  const response = await fetch(`${url}/readyz`);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ ready: false, missing: words, ...state });
});

test.each(["listening", "polling"] as const)("/readyz is 200 when all is there, %s", async (notifications) => {
  readiness = { ...READY, notifications };
  const response = await fetch(`${url}/readyz`);
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({ ready: true, missing: [], notifications });
  expect(missing(readiness)).toEqual([]);
});

test("/metrics shows what was counted, in the format of Prometheus", async () => {
  metrics.serve.unknownRequests.add(3);
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get("content-type")).toStartWith("text/plain");
  expect(await response.text()).toContain("\ntideline_unknown_requests_total 3\n");
});

test("/streams shows those that are furthest behind, with their whole account, and how many there are", async () => {
  const now = { topics: 1, waves: 0, dueOffsets: 0, heldOffsets: 0, rowsInHand: 0 };
  streams = Array.from({ length: 150 }, (_, n) => ({
    stream: n + 1,
    rpc: "Subscribe",
    protocol: "grpc",
    ageMs: n,
    account: { ...new Counters(), ...now, lagOffsets: n === 42 ? 7 : 0 },
  }));
  const shown: unknown = await (await fetch(`${url}/streams`)).json();
  expect(shown).toMatchObject({ open: 150, shown: 100 });
  expect(shown).toHaveProperty("streams.0", expect.objectContaining({ stream: 43, lagOffsets: 7, offers: 0 }));
  expect(shown).toHaveProperty("streams.1", expect.objectContaining({ stream: 150, ageMs: 149 }));
});

test("anything else is refused in words", async () => {
  const unknown = await fetch(`${url}/`);
  expect([unknown.status, await unknown.text()]).toEqual([404, "there is /livez, /readyz, /metrics and /streams\n"]);
  const post = await fetch(`${url}/livez`, { method: "POST" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect((await fetch(`${url}/readyz`, { method: "HEAD" })).status).toBe(200);
});

test("a port that is taken is a clear error", async () => {
  const { host, port } = admin.address;
  const second = startAdmin({ host, port, readiness: () => readiness, streams: () => streams, metrics });
  await expect(second).rejects.toThrow(`the admin port ${host}:${port} cannot be listened on: another program has it`);
});
