import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { systemClock } from "../../src/base/clock";
import { SharedBudget } from "../../src/serve/byte-budget";
import type { WebServer } from "../../src/serve/web/port";
import { SubscribeGroupMessagesRequestSchema } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";
import { groupMessages, MAX_REQUEST_BYTES, openNode, openWeb, STALL_MS, type TestNode } from "./mls-api-node";
import { envelope, RawConnection } from "./web-raw";

const PATH = "/xmtp.mls.api.v1.MlsApi";

let node: TestNode;
let web: WebServer;
let baseUrl: string;
beforeAll(async () => {
  node = await openNode();
  web = await openWeb(node);
  baseUrl = `http://127.0.0.1:${web.address.port}`;
});
afterAll(async () => {
  await web[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

describe("around the RPCs", () => {
  const query = `${PATH}/QueryGroupMessages`;

  test("a preflight is answered with all that clients ask for, and may be remembered", async () => {
    const asked = "content-type,x-app-version,x-grpc-web,x-libxmtp-version";
    const response = await fetch(`${baseUrl}${query}`, {
      method: "OPTIONS",
      headers: {
        origin: "https://chat.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
      },
    });
    expect(response.status).toBe(204);
    const allowed = response.headers.get("access-control-allow-headers")?.split(", ") ?? [];
    expect(asked.split(",").filter((name) => !allowed.includes(name))).toEqual([]);
    expect(response.headers.get("access-control-allow-origin")).toBe("*");
    expect(response.headers.get("access-control-allow-methods")).toContain("POST");
    expect(Number(response.headers.get("access-control-max-age"))).toBeGreaterThan(600);
  });

  test("a page may read the status of a call, also of one that failed", async () => {
    for (const type of ["application/grpc-web+proto", "application/json"]) {
      const response = await fetch(`${baseUrl}${query}`, {
        method: "POST",
        headers: { "content-type": type },
        body: "x",
      });
      await response.arrayBuffer();
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      const exposed = response.headers.get("access-control-expose-headers") ?? "";
      expect(exposed.split(", ")).toEqual(["grpc-status", "grpc-message", "grpc-status-details-bin"]);
    }
  });

  test.each([
    ["GET", "/", 404, "this port serves gRPC-Web and Connect"],
    ["GET", query, 405, "is called by POST, not GET"],
    ["POST", "/favicon.ico", 404, "this port serves"],
  ])("%s %s is %d, with words", async (method, path, status, words) => {
    const response = await fetch(`${baseUrl}${path}`, { method });
    expect(response.status).toBe(status);
    expect(await response.text()).toContain(words);
    if (status === 405) expect(response.headers.get("allow")).toBe("POST, OPTIONS");
  });

  test.each(["text/plain", "application/grpc-web-text+proto", "application/grpc"])("%s is 415", async (type) => {
    const response = await fetch(`${baseUrl}${query}`, {
      method: "POST",
      headers: { "content-type": type },
      body: "x",
    });
    expect(response.status).toBe(415);
    expect(await response.text()).toContain("wanted a content type of application/grpc-web");
  });

  test("C-7: a call that is not served is UNIMPLEMENTED, for gRPC-Web in the headers", async () => {
    const path = "/xmtp.identity.api.v1.IdentityApi/NoSuchMethod";
    const headers = { "content-type": "application/grpc-web+proto" };
    const web = await fetch(`${baseUrl}${path}`, { method: "POST", headers, body: new Uint8Array(5) });
    expect([web.status, web.headers.get("grpc-status")]).toEqual([200, "12"]);
    expect(decodeURIComponent(web.headers.get("grpc-message") ?? "")).toContain("does not serve this RPC");
    expect(await web.text()).toBe("");
    const json = await fetch(`${baseUrl}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    expect(json.status).toBe(404);
    expect(await json.json()).toMatchObject({ code: "unimplemented" });
  });

  test("a request above the limit is refused, however it is sent, and the node lives on", async () => {
    const headers = { "content-type": "application/proto" };
    const body = new Uint8Array(MAX_REQUEST_BYTES + 1);
    const whole = await fetch(`${baseUrl}${query}`, { method: "POST", headers, body });
    expect(await whole.json()).toMatchObject({ code: "resource_exhausted" });
    using raw = new RawConnection(web.address.port);
    raw.requestInPieces(`POST ${query}`, headers);
    raw.piece(body.subarray(0, MAX_REQUEST_BYTES / 2));
    raw.piece(body.subarray(0, MAX_REQUEST_BYTES / 2));
    raw.piece(Uint8Array.of(1, 2));
    await raw.arrived('"resource_exhausted"');
    using announced = new RawConnection(web.address.port);
    const huge = Uint8Array.of(0, 0xff, 0xff, 0xff, 0xff);
    announced.request(`POST ${PATH}/SubscribeGroupMessages`, { "content-type": "application/grpc-web+proto" }, huge);
    await announced.arrived("grpc-status: 8");
  });

  test("what requests hold on all connections is bounded, and let go of when they are answered or gone", async () => {
    const held = new SharedBudget(120_000);
    await using other = await openWeb(node, 0, systemClock, held);
    const { port } = other.address;
    using first = new RawConnection(port);
    first.requestInPieces(`POST ${query}`, { "content-type": "application/proto" });
    first.piece(new Uint8Array(60_000));
    await until(() => held.freeBytes === 60_000, "held");
    using second = new RawConnection(port);
    second.requestInPieces(`POST ${query}`, { "content-type": "application/proto" });
    second.piece(new Uint8Array(50_000));
    await second.arrived('"resource_exhausted"');
    await second.arrived("at most 120000 bytes of unfinished requests on all connections");
    using third = new RawConnection(port);
    third.request(`POST ${query}`, { "content-type": "application/json" }, Buffer.from('{"groupId":"AQID"}'));
    expect(await third.head()).toStartWith("http/1.1 200");
    first.socket.destroy();
    await until(() => held.freeBytes === held.maxBytes, "let go of");
  });

  test("a stream holds the message that is not whole yet, not those before it", async () => {
    const held = new SharedBudget(120_000);
    await using other = await openWeb(node, 0, systemClock, held);
    using raw = new RawConnection(other.address.port);
    raw.requestInPieces(`POST ${PATH}/Subscribe`, { "content-type": "application/connect+json" });
    const ping = Buffer.from('{"v1":{"ping":{"nonce":"7"}}}');
    for (let n = 0; n < 3; n++) raw.piece(Buffer.concat([Buffer.from([0, 0, 0, 0, ping.length]), ping]));
    await raw.arrived('"pong"');
    raw.piece(Buffer.from([0, 0, 0, 200, 1, 2, 3]));
    await until(() => held.freeBytes === held.maxBytes - 7, "held");
    raw.socket.destroy();
    await until(() => held.freeBytes === held.maxBytes, "let go of");
  });

  test("garbage instead of HTTP harms nobody", async () => {
    using raw = new RawConnection(web.address.port);
    raw.socket.write(new Uint8Array(1_000).fill(0x16));
    await until(() => raw.closed, "closed");
    using odd = new RawConnection(web.address.port);
    odd.request("POST //[", { "content-type": "application/json" });
    expect(await odd.head()).toStartWith("http/1.1 404");
  });

  test("a port that is taken is a clear error", async () => {
    const error = await openWeb(node, web.address.port).then(
      () => undefined,
      (why: unknown) => why,
    );
    expect(`${error}`).toContain(
      `the web port 127.0.0.1:${web.address.port} cannot be listened on: another program has it`,
    );
  });

  test("disposing of the port cuts open streams, and their sessions end", async () => {
    const other = await openWeb(node);
    using raw = new RawConnection(other.address.port);
    raw.requestInPieces(`POST ${PATH}/Subscribe`, { "content-type": "application/connect+proto" });
    await until(() => node.host.streams.size === 1, "opened");
    await other[Symbol.asyncDispose]();
    await until(() => raw.closed && node.host.streams.size === 0, "closed");
  });
});

describe("clients that do not keep up", () => {
  test("a request that does not arrive in time loses its connection, and no timer stays behind", async () => {
    const clock = new VirtualClock();
    await using other = await openWeb(node, 0, clock);
    using raw = new RawConnection(other.address.port);
    raw.requestInPieces(`POST ${PATH}/QueryGroupMessages`, { "content-type": "application/proto" });
    raw.piece(Uint8Array.of(0x0a));
    await until(() => clock.armed === 1, "begun");
    clock.advance(59_000);
    expect(raw.closed).toBe(false);
    clock.advance(2_000);
    await until(() => raw.closed, "closed");
    expect(clock.armed).toBe(0);
  });

  test("a stream whose client reads nothing is not filled further, and is cut after the stall deadline", async () => {
    const clock = new VirtualClock();
    await using other = await openWeb(node, 0, clock);
    const groupId = Uint8Array.of(1, 1);
    const texts = Array.from({ length: 120 }, (_, i) => `${i} ${"x".repeat(90_000)}`);
    await node.client.sendGroupMessages(groupMessages(groupId, ...texts));
    using raw = new RawConnection(other.address.port);
    raw.socket.pause();
    const body = envelope(SubscribeGroupMessagesRequestSchema, { filters: [{ groupId }] });
    raw.request(`POST ${PATH}/SubscribeGroupMessages`, { "content-type": "application/grpc-web+proto" }, body);
    await until(() => clock.armed === 1 && node.host.streams.size === 1, "blocked");
    for (const [, stream] of node.host.streams.entries()) expect(stream.account.waveMessages).toBeLessThan(110);
    clock.advance(STALL_MS);
    await until(() => node.host.streams.size === 0, "released");
  });

  test("a stream whose client reads slowly gets everything", async () => {
    const groupId = Uint8Array.of(1, 1);
    using raw = new RawConnection(web.address.port);
    raw.socket.pause();
    const body = envelope(SubscribeGroupMessagesRequestSchema, { filters: [{ groupId }] });
    raw.request(`POST ${PATH}/SubscribeGroupMessages`, { "content-type": "application/grpc-web+proto" }, body);
    await until(() => node.host.streams.size === 1, "begun");
    raw.socket.resume();
    await raw.arrived("119 xxx");
    expect(raw.received.match(/\d+ x{90000}/g)?.length).toBe(120);
  });
});
