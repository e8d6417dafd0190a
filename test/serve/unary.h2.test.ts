import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { type Client, Code, createClient, type Transport } from "@connectrpc/connect";
import {
  compressionGzip,
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { unaryRpcs } from "../../src/serve/api/services";
import { StoreError } from "../../src/store/error";
import { MlsApi, SortDirection } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { callError } from "../support/failure";
import { GrpcClient, SUBSCRIBE_PATH } from "../support/h2-grpc";
import { FLAG, RawH2Client } from "../support/h2-raw";
import { until } from "../support/until";
import { groupMessage, groupMessages, mlsMessage } from "./mls-api-node";
import { MAX_MESSAGE_BYTES, MAX_REQUEST_BYTES, openUnaryNode, type UnaryNode } from "./unary-node";

let node: UnaryNode;
beforeAll(async () => {
  node = await openUnaryNode();
});
afterEach(() => node.fail(undefined));
afterAll(() => node[Symbol.asyncDispose]());

interface Way {
  readonly name: string;
  /** Whether the gRPC port serves it without Connect. */
  readonly direct: boolean;
  readonly transport: (urls: { readonly grpc: string; readonly web: string }) => Transport;
}

const GZIP = { sendCompression: compressionGzip, acceptCompression: [compressionGzip], compressMinBytes: 0 };

const WAYS: readonly Way[] = [
  { name: "gRPC", direct: true, transport: ({ grpc }) => createGrpcTransport({ baseUrl: grpc }) },
  { name: "gRPC with gzip", direct: false, transport: ({ grpc }) => createGrpcTransport({ baseUrl: grpc, ...GZIP }) },
  {
    name: "gRPC with JSON",
    direct: false,
    transport: ({ grpc }) => createGrpcTransport({ baseUrl: grpc, useBinaryFormat: false }),
  },
  {
    name: "Connect with JSON over HTTP/2",
    direct: false,
    transport: ({ grpc }) => createConnectTransport({ baseUrl: grpc, httpVersion: "2" }),
  },
  {
    name: "gRPC-Web over HTTP/2",
    direct: false,
    transport: ({ grpc }) => createGrpcWebTransport({ baseUrl: grpc, httpVersion: "2" }),
  },
  {
    name: "gRPC-Web over HTTP/1.1",
    direct: false,
    transport: ({ web }) => createGrpcWebTransport({ baseUrl: web, httpVersion: "1.1" }),
  },
];

async function counted(name: string, label: string): Promise<number> {
  const text = await node.metrics.render();
  const found = new RegExp(`^tideline_${name}\\{\\w+="${label}"\\} (\\d+)$`, "m").exec(text);
  return Number(found?.[1] ?? 0);
}

describe.each(WAYS)("a unary call by $name", ({ name, direct, transport }) => {
  let client: Client<typeof MlsApi>;
  const urlOf = ({ host, port }: { readonly host: string; readonly port: number }) => `http://${host}:${port}`;
  beforeAll(() => {
    client = createClient(MlsApi, transport({ grpc: urlOf(node.grpc.address), web: urlOf(node.web.address) }));
  });
  const group = (text: string) => new TextEncoder().encode(`${name} ${text}`);

  test("goes without Connect if it is gRPC with protobuf and nothing is compressed, and only then", async () => {
    const before = node.direct.length;
    await client.queryGroupMessages({ groupId: group("way") });
    expect(node.direct.slice(before)).toEqual(direct ? ["QueryGroupMessages"] : []);
  });

  test("publishes, and reads its own write, ascending from a cursor as a client does after each send", async () => {
    const groupId = group("own");
    let idCursor = 0n;
    for (const text of ["a", "b", "c"]) {
      await client.sendGroupMessages(groupMessages(groupId, text));
      const { messages, pagingInfo } = await client.queryGroupMessages({
        groupId,
        pagingInfo: { direction: SortDirection.ASCENDING, limit: 100, idCursor },
      });
      const [own] = messages;
      expect(messages).toHaveLength(1);
      expect(own?.version.value?.data).toEqual(mlsMessage(groupId, text));
      expect(pagingInfo).toMatchObject({ direction: SortDirection.ASCENDING, limit: 100, idCursor: 0n });
      idCursor = own?.version.value?.id ?? 0n;
    }
  });

  test("answers every method just as the services do without a port", async () => {
    const [groupId, other] = [group("all"), group("none")];
    const installationKey = new Uint8Array(32).fill(name.length);
    const welcome = { installationKey, data: group("welcome"), hpkePublicKey: new Uint8Array(8) };
    await client.sendGroupMessages(groupMessages(groupId, ...Array.from({ length: 7 }, (_, i) => `${i}`)));
    await client.sendWelcomeMessages({ messages: [{ version: { case: "v1", value: welcome } }] });
    const pagingInfo = { limit: 5 };
    for (const asked of [{ groupId }, { groupId, pagingInfo }, { groupId: other }]) {
      expect(await client.queryGroupMessages(asked)).toEqual(await node.client.queryGroupMessages(asked));
    }
    const welcomes = { installationKey, pagingInfo };
    expect(await client.queryWelcomeMessages(welcomes)).toEqual(await node.client.queryWelcomeMessages(welcomes));
    const newest = { groupIds: [other, groupId], includeContent: true };
    expect(await client.getNewestGroupMessage(newest)).toEqual(await node.client.getNewestGroupMessage(newest));
  });

  test("takes requests and gives responses that are larger than any window or write", async () => {
    const groupId = group("large");
    const texts = Array.from({ length: 3 }, (_, i) => `${i}`.repeat(900_000));
    await client.sendGroupMessages(groupMessages(groupId, ...texts));
    const { messages } = await client.queryGroupMessages({ groupId, pagingInfo: { direction: 1 } });
    expect(messages.map(({ version }) => version.value?.data.length)).toEqual(
      texts.map((text) => mlsMessage(groupId, text).length),
    );
  });

  test("is refused in the same words: what is wrong with the request", async () => {
    const bad = { messages: [groupMessage({ data: Uint8Array.of(0, 1, 0, 9) })] };
    const told = await callError(client.sendGroupMessages(bad));
    const expected = await callError(node.client.sendGroupMessages(bad));
    expect([told.code, told.rawMessage]).toEqual([Code.InvalidArgument, expected.rawMessage]);
    expect(told.rawMessage).toStartWith("messages[0].v1.data: not an MLS PrivateMessage: wire_format at byte 2");
    const empty = await callError(client.queryGroupMessages({}));
    expect([empty.code, empty.rawMessage]).toEqual([Code.InvalidArgument, "group_id: wanted 1 to 1023 bytes, found 0"]);
  });

  test.each([
    ["full", Code.ResourceExhausted],
    ["unreachable", Code.Unavailable],
  ] as const)("that the store fails as %s says so, and is counted", async (fault, code) => {
    const status = Code[code].replace(/(?<=.)[A-Z]/g, "_$&").toLowerCase();
    const before = await Promise.all([
      counted("calls_total", "SendGroupMessages"),
      counted("calls_failed_total", status),
    ]);
    node.fail(new StoreError(fault, "höchstens 1 000 – später noch einmal"));
    const told = await callError(client.sendGroupMessages(groupMessages(group("fails"), "a")));
    expect([told.code, told.rawMessage]).toEqual([code, "höchstens 1 000 – später noch einmal"]);
    const after = await Promise.all([
      counted("calls_total", "SendGroupMessages"),
      counted("calls_failed_total", status),
    ]);
    expect(after).toEqual([before[0] + 1, before[1] + 1]);
  });

  test("that fails for a reason nobody foresaw says nothing of it, and is logged", async () => {
    node.fail(new TypeError("secret"));
    const before = node.logged.length;
    const told = await callError(client.queryGroupMessages({ groupId: group("bug") }));
    expect([told.code, told.rawMessage]).toEqual([Code.Internal, "internal error"]);
    expect(node.logged.slice(before)).toEqual(["call failed"]);
  });

  test("with a request above the limit is RESOURCE_EXHAUSTED, with a message above it INVALID_ARGUMENT", async () => {
    const request = (bytes: number) => ({ messages: [groupMessage({ data: new Uint8Array(bytes) })] });
    expect((await callError(client.sendGroupMessages(request(MAX_REQUEST_BYTES)))).code).toBe(Code.ResourceExhausted);
    const large = groupMessages(group("above"), "x".repeat(MAX_MESSAGE_BYTES));
    // In JSON's base64 it is above the request's limit, too.
    const { code } = await callError(client.sendGroupMessages(large));
    expect([Code.InvalidArgument, Code.ResourceExhausted]).toContain(code);
  });
});

test("a foreign gRPC client is told the status and its words without Connect", async () => {
  using client = new GrpcClient(node.grpc.address.port);
  const before = node.direct.length;
  expect(await client.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages")).toEqual({
    code: Code.InvalidArgument,
    details: "messages: wanted at least 1, found none",
  });
  expect(await client.call("/xmtp.mls.api.v1.MlsApi/GetNewestGroupMessage")).toEqual({ code: 0, details: "" });
  expect(node.direct.slice(before)).toEqual(["SendGroupMessages", "GetNewestGroupMessage"]);
});

const SEND_PATH = "/xmtp.mls.api.v1.MlsApi/SendGroupMessages";

test("requests above the limit say what it is and what came, however many, and harm no other call of their connection", async () => {
  using client = new GrpcClient(node.grpc.address.port);
  const neighbour = client.subscribe();
  await neighbour.heard(({ kind }) => kind === "started", "Started");
  const request = Buffer.alloc(2 * MAX_REQUEST_BYTES);
  const told = await Promise.all(Array.from({ length: 16 }, () => client.call(SEND_PATH, request)));
  const details = "wanted a request of at most 4000000 bytes, found one of 8000000; ask for less at a time";
  expect(told).toEqual(told.map(() => ({ code: Code.ResourceExhausted, details })));
  expect((await client.call("/xmtp.mls.api.v1.MlsApi/GetNewestGroupMessage")).code).toBe(0);
  neighbour.ping(7n);
  await neighbour.heard(({ kind }) => kind === "pong", "a Pong");
});

const ANSWERED_EARLY = [
  ["a call without Connect", SEND_PATH, {}],
  ["a call by Connect", SEND_PATH, { "content-type": "application/grpc+json" }],
  ["a stream", SUBSCRIBE_PATH, {}],
  ["a method that is not served", "/xmtp.mls.api.v1.MlsApi/Nothing", {}],
  ["no RPC", "/", { "content-type": "text/plain" }],
] as const;

test.concurrent.each(ANSWERED_EARLY)(
  "%s that is answered before it has sent everything is no flood, sent for as long as one would be noticed in",
  async (_, path, fields) => {
    using raw = await RawH2Client.open({ port: node.grpc.address.port });
    // Half a window: what a client may well have sent before it hears of the answer.
    const body = Buffer.alloc(512 * 1024);
    body.writeUInt32BE(2 * MAX_REQUEST_BYTES, 1);
    const end = performance.now() + 1_500;
    for (let id = 1; !raw.closed && (performance.now() < end || id < 32); id += 2) {
      raw.request(id, path, fields);
      raw.data(id, body);
      const isAnswered = () => raw.framesOf(id).some(({ flags }) => (flags & FLAG.endStream) !== 0);
      await until(() => raw.closed || isAnswered(), "the answer");
      // As gRPC's libraries do when they have the whole answer.
      raw.reset(id);
    }
    expect(raw.closed).toBe(false);
  },
);

test("bytes that are no request are INVALID_ARGUMENT, and say of what type none could be read", async () => {
  const [send] = unaryRpcs(node.deps);
  const told = await callError(send?.answer(Uint8Array.of(10, 200)) ?? Promise.resolve());
  expect(told.code).toBe(Code.InvalidArgument);
  expect(told.rawMessage).toStartWith("a request of 2 bytes could not be read as SendGroupMessagesRequest: ");
});
