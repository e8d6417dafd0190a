import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { systemClock } from "../../src/base/clock";
import { silentLogger } from "../../src/base/log";
import { GROUP, topicBytes } from "../../src/core/topic";
import { type Certificate, openCertificate } from "../../src/serve/certificate";
import { MlsApi } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { makeCertificate } from "../support/certificate";
import { GrpcClient } from "../support/h2-grpc";
import { TestNode } from "../support/h2-node";
import { testTopic } from "../support/memory-store";
import { until } from "../support/until";

const UNAVAILABLE = 14;

let directory: string;
let node: TestNode;
let certificate: Certificate;
/** What clients trust: the certificate at the start, and the one that renews it. */
const first = makeCertificate("first");
const second = makeCertificate("second");
const ca = first.cert + second.cert;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "tideline-tls-"));
});

afterAll(() => rm(directory, { recursive: true }));

beforeEach(async () => {
  await renew(first);
  const files = { certFile: join(directory, "cert.pem"), keyFile: join(directory, "key.pem") };
  certificate = await openCertificate(files, { clock: systemClock, log: silentLogger, everyMs: 2 });
  node = await TestNode.start({ certificate });
});

afterEach(async () => {
  await node[Symbol.asyncDispose]();
  await certificate[Symbol.asyncDispose]();
});

async function renew({ cert, key }: { readonly cert: string; readonly key: string }): Promise<void> {
  await writeFile(join(directory, "cert.pem"), cert);
  await writeFile(join(directory, "key.pem"), key);
}

const topic = testTopic(GROUP, 1);

/** Who the port says it is to a client that offers these protocols, and which of them it chose. */
async function greet(ALPNProtocols: string[]): Promise<{ readonly name: string | undefined; readonly chose: unknown }> {
  const socket = connectTls({ port: node.port, host: "127.0.0.1", servername: "localhost", ca, ALPNProtocols });
  await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const { CN } = socket.getPeerCertificate().subject;
  const chose = socket.alpnProtocol;
  socket.destroy();
  return { name: `${CN}`, chose };
}

/** The status of GET / by HTTP/1.1. */
async function get(): Promise<number | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
  const ask = request({ port: node.port, host: "localhost", ca, path: "/", agent: false });
  ask.once("error", reject).once("response", (response) => resolve(response.resume().statusCode));
  ask.end();
  return await promise;
}

test("one TLS port serves gRPC by HTTP/2 and Connect by HTTP/1.1, as the client chooses in the handshake", async () => {
  expect(await greet(["h2", "http/1.1"])).toEqual({ name: "first", chose: "h2" });
  expect(await greet(["http/1.1"])).toEqual({ name: "first", chose: "http/1.1" });
  using client = new GrpcClient(node.port, ca);
  const stream = client.subscribe();
  stream.mutate(1n, { adds: [{ topic }] });
  await stream.completed(1n);

  const baseUrl = `https://localhost:${node.port}`;
  const transport = createConnectTransport({ baseUrl, httpVersion: "1.1", nodeOptions: { ca } });
  const gone = new AbortController();
  const filters = [{ groupId: topicBytes(topic).subarray(1), idCursor: 0n }];
  const responses = createClient(MlsApi, transport).subscribeGroupMessages({ filters }, { signal: gone.signal });
  const received = responses[Symbol.asyncIterator]().next();
  await until(() => node.host.streams.size === 2, "the stream by HTTP/1.1");
  node.publish(topic, 1);
  expect((await received).value?.version.value?.id).toBe(1n);
  await stream.heard((said) => said.kind === "messages", "the message by HTTP/2");
  gone.abort();
  await until(() => node.host.streams.size === 1, "the end of the stream by HTTP/1.1");
});

test("R-9, R-18: a large wave and live messages share a TLS connection; each arrives once and in order", async () => {
  const live = testTopic(GROUP, 2);
  node.publish(topic, 400, 40_000);
  using client = new GrpcClient(node.port, ca);
  const stream = client.subscribe();
  const beside = client.subscribe();
  beside.mutate(1n, { adds: [{ topic: live, cursor: 400n }] });
  await beside.completed(1n);
  stream.mutate(2n, { adds: [{ topic }] });
  for (let n = 0; n < 50; n++) {
    node.publish(live, 1);
    await until(() => beside.idsOf(0n).length > n, "a live message beside the wave");
  }
  await stream.completed(2n);
  expect(stream.idsOf(2n)).toEqual(Array.from({ length: 400 }, (_, nth) => BigInt(nth + 1)));
  expect(beside.idsOf(0n)).toEqual(Array.from({ length: 50 }, (_, nth) => BigInt(nth + 401)));
});

test("a renewed certificate is shown to new connections, by either protocol, and old streams go on", async () => {
  using client = new GrpcClient(node.port, ca);
  const stream = client.subscribe();
  stream.mutate(1n, { adds: [{ topic }] });
  await stream.completed(1n);
  await renew(second);
  await until(() => certificate.current.cert === second.cert, "the renewal");
  expect(await greet(["h2"])).toEqual({ name: "second", chose: "h2" });
  expect(await greet(["http/1.1"])).toEqual({ name: "second", chose: "http/1.1" });
  node.publish(topic, 1);
  await stream.heard((said) => said.kind === "messages", "a message on the old connection");
});

test("a handshake that never ends is cut", async () => {
  await using hasty = await TestNode.start({ certificate, guard: { handshakeMs: 200 } });
  const socket = connectTcp(hasty.port, "127.0.0.1");
  socket.on("error", () => {}).resume();
  await new Promise((resolve) => socket.once("close", resolve));
});

test("no TLS, or an unknown protocol: cut, and nobody else notices", async () => {
  using client = new GrpcClient(node.port, ca);
  const stream = client.subscribe();
  await stream.heard((said) => said.kind === "started", "Started");
  const closed = (first: string) =>
    new Promise<void>((resolve) => {
      const socket = connectTcp(node.port, "127.0.0.1", () => socket.write(first));
      socket.on("error", () => {});
      socket.on("close", () => resolve()).resume();
    });
  await Promise.all([closed("GET / HTTP/1.1\r\n\r\n"), closed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")]);
  await expect(greet(["spdy/1"])).rejects.toThrow();
  expect(await get()).toBe(404);
  stream.ping(7n);
  await stream.heard((said) => said.kind === "pong", "Pong");
});

test("a port that stops lets its clients go, by either protocol, and takes nobody new", async () => {
  using client = new GrpcClient(node.port, ca);
  const stream = client.subscribe();
  await stream.heard((said) => said.kind === "started", "Started");
  const idle = connectTls({ port: node.port, host: "127.0.0.1", servername: "localhost", ca });
  idle.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
  await new Promise((resolve) => idle.once("data", resolve));
  const idleClosed = new Promise((resolve) => idle.once("close", resolve));
  const { port } = node;
  const stopped = node.server.stop();
  node.host.streams.shutdown();
  expect(await stream.ended()).toMatchObject({ code: UNAVAILABLE });
  await idleClosed;
  await stopped;
  const refused = new Promise<Error>((resolve) => connectTcp(port, "127.0.0.1").once("error", resolve));
  expect((await refused).message).toContain("ECONNREFUSED");
});
