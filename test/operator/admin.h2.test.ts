import { afterAll, beforeAll, expect, test } from "bun:test";
import { createMetrics } from "../../src/base/metrics";
import { Counters } from "../../src/core/session/account";
import { type AdminServer, missing, type Readiness, startAdmin } from "../../src/operator/admin";
import { listStreams, mergeStreams, type StreamSnapshot } from "../../src/operator/streams";

const canary = { silentMs: 100, limitMs: 15_000, lastMs: 3, isStandby: false };
const READY: Readiness = { migrated: true, lookedOnce: true, notifications: "listening", canary };

const metrics = createMetrics();
let readiness: Readiness | undefined;
const admins = { host: "127.0.0.1", readiness: () => readiness, streams: async () => told, metrics };
let told = mergeStreams([]);
let admin: AdminServer;
let url: string;
beforeAll(async () => {
  admin = await startAdmin({ ...admins, port: 0 });
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

test("a node on a standby is ready for readers, and says who cannot publish and why; /readyz/publishing is 503", async () => {
  readiness = { ...READY, notifications: "polling", canary: { ...canary, lastMs: undefined, isStandby: true } };
  const words = ["the database is a standby, which takes no messages"];
  const expected = { ready: true, missing: [], publishing: { ready: false, missing: words } };
  const [all, publishing] = await Promise.all([fetch(`${url}/readyz`), fetch(`${url}/readyz/publishing`)]);
  expect([all.status, publishing.status]).toEqual([200, 503]);
  expect(await all.json()).toMatchObject(expected);
  expect(await publishing.json()).toMatchObject(expected);
  readiness = undefined;
  expect((await fetch(`${url}/readyz/publishing`)).status).toBe(503);
  readiness = READY;
  expect((await fetch(`${url}/readyz/publishing`)).status).toBe(200);
});

test("/metrics shows what was counted, in the format of Prometheus", async () => {
  metrics.serve.unknownRequests.add(3);
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get("content-type")).toStartWith("text/plain");
  expect(await response.text()).toContain("\ntideline_unknown_requests_total 3\n");
});

/** Streams of a process, each a millisecond older than the one before. */
function streamsOf(count: number, lagOf: (stream: number) => number = () => 0): readonly StreamSnapshot[] {
  const now = { topics: 1, waves: 0, dueOffsets: 0, heldOffsets: 0, rowsInHand: 0 };
  return Array.from({ length: count }, (_, n) => ({
    stream: n + 1,
    rpc: "Subscribe",
    protocol: "grpc",
    ageMs: n,
    account: { ...new Counters(), ...now, lagOffsets: lagOf(n + 1) },
  }));
}

async function shownStreams(): Promise<unknown> {
  return await (await fetch(`${url}/streams`)).json();
}

test("/streams shows those that are furthest behind, with their whole account, and how many there are", async () => {
  told = mergeStreams([listStreams(streamsOf(150, (stream) => (stream === 43 ? 7 : 0)))]);
  const shown = await shownStreams();
  expect(shown).toMatchObject({ open: 150, processes: 1, shown: 100 });
  expect(shown).toHaveProperty("streams.0", expect.objectContaining({ stream: 43, lagOffsets: 7, offers: 0 }));
  expect(shown).toHaveProperty("streams.1", expect.objectContaining({ stream: 150, ageMs: 149, pid: process.pid }));
});

test("/streams shows the furthest behind of all processes of a node, and in which process each is", async () => {
  const lists = [3, 9].map((lag, n) => {
    const { open, streams } = listStreams(streamsOf(80, (stream) => (stream === 5 ? lag : 0)));
    return { open, streams: streams.map((stream) => ({ ...stream, pid: n + 1 })) };
  });
  told = mergeStreams(lists);
  const shown = await shownStreams();
  expect(shown).toMatchObject({ open: 160, processes: 2, shown: 100 });
  expect(shown).toHaveProperty("streams.0", expect.objectContaining({ pid: 2, stream: 5, lagOffsets: 9 }));
  expect(shown).toHaveProperty("streams.1", expect.objectContaining({ pid: 1, stream: 5, lagOffsets: 3 }));
});

test("/ says in plain text what there is, a sentence each", async () => {
  const response = await fetch(`${url}/`);
  expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/plain; charset=utf-8"]);
  const lines = (await response.text()).trimEnd().split("\n");
  expect(lines.map((line) => /^\/[\w/]+(?= +[A-Z].*\.$)/.exec(line)?.[0])).toEqual([
    "/livez",
    "/readyz",
    "/readyz/publishing",
    "/metrics",
    "/streams",
  ]);
});

test("anything else is refused in words", async () => {
  const unknown = await fetch(`${url}/stream`);
  expect([unknown.status, await unknown.text()]).toEqual([
    404,
    "there is /livez, /readyz, /readyz/publishing, /metrics, /streams\n",
  ]);
  const post = await fetch(`${url}/livez`, { method: "POST" });
  expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  expect((await fetch(`${url}/readyz`, { method: "HEAD" })).status).toBe(200);
});

test("a port that is taken is a clear error", async () => {
  const { host, port } = admin.address;
  const second = startAdmin({ ...admins, port });
  await expect(second).rejects.toThrow(`the admin port ${host}:${port} cannot be listened on: another program has it`);
});
