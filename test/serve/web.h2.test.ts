import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { type Client, Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import type { WebServer } from "../../src/serve/web/port";
import {
  MlsApi,
  SubscribeGroupMessagesRequestSchema,
  SubscribeRequestSchema,
  SubscribeResponseSchema,
} from "../../src/wire/gen/mls/api/v1/mls_pb";
import { callError } from "../support/failure";
import { AT_ONCE_MS, until } from "../support/until";
import { groupMessages, mlsMessage, openNode, openWeb, type TestNode } from "./mls-api-node";
import { envelope, RawConnection } from "./web-raw";

const PATH = "/xmtp.mls.api.v1.MlsApi";

let node: TestNode;
let web: WebServer;
let baseUrl: string;
beforeAll(async () => {
  node = await openNode({ keepaliveMs: 300 });
  web = await openWeb(node);
  baseUrl = `http://127.0.0.1:${web.address.port}`;
});
afterAll(async () => {
  await web[Symbol.asyncDispose]();
  await node[Symbol.asyncDispose]();
});

const TRANSPORTS = [
  ["gRPC-Web", (url: string) => createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1" })],
  [
    "gRPC-Web with JSON",
    (url: string) => createGrpcWebTransport({ baseUrl: url, httpVersion: "1.1", useBinaryFormat: false }),
  ],
  ["Connect", (url: string) => createConnectTransport({ baseUrl: url, httpVersion: "1.1", useBinaryFormat: true })],
  ["Connect with JSON", (url: string) => createConnectTransport({ baseUrl: url, httpVersion: "1.1" })],
] as const;

describe.each(TRANSPORTS)("%s over HTTP/1.1", (name, transport) => {
  let client: Client<typeof MlsApi>;
  beforeAll(() => {
    client = createClient(MlsApi, transport(baseUrl));
  });
  const group = (text: string) => new TextEncoder().encode(`${name} ${text}`);

  test("publishes and queries", async () => {
    const groupId = group("unary");
    await client.sendGroupMessages(groupMessages(groupId, "a", "b"));
    const { messages } = await client.queryGroupMessages({ groupId });
    expect(messages.map(({ version }) => version.value?.data)).toEqual([
      mlsMessage(groupId, "b"),
      mlsMessage(groupId, "a"),
    ]);
  });

  test("tells what is wrong with a request", async () => {
    const error = await callError(client.queryGroupMessages({}));
    expect([error.code, error.rawMessage]).toEqual([Code.InvalidArgument, "group_id: wanted 1 to 1023 bytes, found 0"]);
  });

  test("UNIMPLEMENTED has words", async () => {
    const error = await callError(client.registerInstallation({}));
    expect(error.code).toBe(Code.Unimplemented);
    expect(error.rawMessage).toContain("not part of the network");
  });

  test("SubscribeGroupMessages brings history above the cursor, then live, each once, until it is cancelled", async () => {
    const groupId = group("stream");
    await client.sendGroupMessages(groupMessages(groupId, "0", "1", "2"));
    const { messages } = await client.queryGroupMessages({ groupId, pagingInfo: { direction: 1 } });
    const cancel = new AbortController();
    const ids: (bigint | undefined)[] = [];
    const idCursor = messages[0]?.version.value?.id ?? 0n;
    const filters = [
      { groupId, idCursor },
      { groupId, idCursor: 2n ** 63n - 1n },
    ];
    const done = callError(
      (async () => {
        for await (const { version } of client.subscribeGroupMessages({ filters }, { signal: cancel.signal })) {
          ids.push(version.value?.id);
        }
      })(),
    );
    await until(() => ids.length === 2, "history");
    await client.sendGroupMessages(groupMessages(groupId, "3"));
    await until(() => ids.length === 3, "live");
    cancel.abort();
    expect((await done).code).toBe(Code.Canceled);
    expect(ids).toEqual([1n, 2n, 3n].map((n) => idCursor + n));
  });

  test("SubscribeWelcomeMessages does the same for welcomes", async () => {
    const installationKey = group("welcomes");
    const version = { case: "v1", value: { installationKey, data: Uint8Array.of(1), wrapperAlgorithm: 3 } } as const;
    await client.sendWelcomeMessages({ messages: [{ version }] });
    const cancel = new AbortController();
    for await (const message of client.subscribeWelcomeMessages({ filters: [{ installationKey }] }, cancel)) {
      expect(message.version.value).toMatchObject({ installationKey, data: Uint8Array.of(1) });
      break;
    }
    cancel.abort();
  });

  test("a stream with an empty identifier, and one of welcomes without filters, ends with INVALID_ARGUMENT", async () => {
    const groups = async () => {
      for await (const _ of client.subscribeGroupMessages({ filters: [{}] }));
    };
    const welcomes = async () => {
      for await (const _ of client.subscribeWelcomeMessages({ filters: [] }));
    };
    expect((await callError(groups())).code).toBe(Code.InvalidArgument);
    const none = await callError(welcomes());
    expect([none.code, none.rawMessage]).toEqual([Code.InvalidArgument, "filters: wanted at least 1, found none"]);
  });
});

describe("a stream on a raw connection", () => {
  beforeEach(() => until(() => node.host.streams.size === 0, "no stream of another test"));

  const filter = (groupId: Uint8Array<ArrayBuffer>) =>
    envelope(SubscribeGroupMessagesRequestSchema, { filters: [{ groupId }] });

  test.each([
    ["application/grpc-web+proto", "application/grpc-web+proto"],
    ["application/grpc-web", "application/grpc-web+proto"],
    ["application/connect+proto", "application/connect+proto"],
  ])("of a silent topic has its response headers at once, whole (%s)", async (asked, answered) => {
    using raw = new RawConnection(web.address.port);
    raw.request(`POST ${PATH}/SubscribeGroupMessages`, { "content-type": asked }, filter(Uint8Array.of(200)));
    const head = await raw.head();
    expect(head).toStartWith("http/1.1 200");
    expect(head).toContain(`content-type: ${answered}\r\n`);
    expect(head).toContain("access-control-allow-origin: *");
    expect(raw.received.endsWith("\r\n\r\n")).toBe(true);
  });

  test("R-47: a client that vanishes releases its stream at once", async () => {
    for (const end of ["destroy", "resetAndDestroy"] as const) {
      const raw = new RawConnection(web.address.port);
      const headers = { "content-type": "application/grpc-web+proto" };
      raw.request(`POST ${PATH}/SubscribeGroupMessages`, headers, filter(new TextEncoder().encode(end)));
      await raw.head();
      await until(() => node.feed.stats().watchedTopics === 1, "watched");
      expect(node.host.streams.size).toBe(1);
      raw.socket[end]();
      await until(() => node.host.streams.size === 0, "released", AT_ONCE_MS);
      expect(node.feed.stats().watchedTopics).toBe(0);
    }
  });

  test("R-1, R-42, R-43, R-44: Subscribe flows both ways at once, pings, and reaps who does not answer", async () => {
    using raw = new RawConnection(web.address.port);
    raw.requestInPieces(`POST ${PATH}/Subscribe`, { "content-type": "application/connect+proto" });
    const frame = (
      v1: { case: "started"; value: object } | { case: "pong"; value: object } | { case: "ping"; value: object },
    ) =>
      Buffer.from(envelope(SubscribeResponseSchema, { version: { case: "v1", value: { response: v1 } } })).toString(
        "latin1",
      );
    await raw.arrived(frame({ case: "started", value: { keepaliveIntervalMs: 300 } }));
    const ping = { case: "ping", value: { nonce: 77n } } as const;
    raw.piece(envelope(SubscribeRequestSchema, { version: { case: "v1", value: { request: ping } } }));
    await raw.arrived(frame({ case: "pong", value: { nonce: 77n } }));
    await raw.arrived('{"error":{"code":"deadline_exceeded"');
    await until(() => node.host.streams.size === 0, "closed");
    expect(raw.received).toContain("0\r\n\r\n");
  });

  test("C-5: a bounded sync by Connect with JSON: history, marker, OK (R-37, R-45)", async () => {
    const groupId = Uint8Array.of(201);
    await node.client.sendGroupMessages(groupMessages(groupId, "x"));
    const topic = Buffer.concat([Uint8Array.of(0), groupId]).toString("base64");
    const json = JSON.stringify({ v1: { mutate: { adds: [{ topic }], historyOnly: true, mutateId: "5" } } });
    const body = Buffer.concat([Uint8Array.of(0, 0, 0, 0, json.length), Buffer.from(json)]);
    const response = await fetch(`${baseUrl}${PATH}/Subscribe`, {
      method: "POST",
      headers: { "content-type": "application/connect+json" },
      body,
    });
    const text = Buffer.from(await response.arrayBuffer()).toString("latin1");
    const kinds = [...text.matchAll(/\{"v1":\{"(\w+)":\{(?!"id")/g)].map((match) => match[1]);
    expect(kinds).toEqual(["started", "messages", "topicsLive", "catchupComplete"]);
    expect(text).toContain(`"mutateId":"5"`);
    expect(text).toEndWith("{}");
  });

  test("R-4: a request that cannot be read ends Subscribe with an error that arrives whole", async () => {
    using raw = new RawConnection(web.address.port);
    raw.requestInPieces(`POST ${PATH}/Subscribe`, { "content-type": "application/connect+proto" });
    raw.piece(Uint8Array.of(0, 0, 0, 0, 0));
    await raw.arrived('{"error":{"code":"invalid_argument"');
    await raw.arrived("\r\n0\r\n\r\n");
    await until(() => raw.closed, "the connection is let go of");
  });
});
