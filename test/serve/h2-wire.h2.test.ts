import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import http2 from "node:http2";
import { GROUP } from "../../src/core/topic";
import { envelopeOf, envelopesIn, GrpcClient, mutateRequest, SUBSCRIBE_PATH, saidIn } from "../support/h2-grpc";
import { TestNode } from "../support/h2-node";
import { FLAG, FRAME, RawH2Client } from "../support/h2-raw";
import { testTopic } from "../support/memory-store";
import { until } from "../support/until";

const A = testTopic(GROUP, 1);

/** The end of a response as node:http2 tells it: headers, body, and trailers if there are any. */
interface Answer {
  readonly headers: http2.IncomingHttpHeaders;
  /** Whether the response ended with its headers. */
  readonly headersOnly: boolean;
  readonly body: Buffer;
  readonly trailers: http2.IncomingHttpHeaders | undefined;
}

describe("the gRPC port, frame by frame", () => {
  let node: TestNode;
  let session: http2.ClientHttp2Session;
  beforeAll(async () => {
    node = await TestNode.start();
    session = http2.connect(`http://127.0.0.1:${node.port}`);
  });
  afterAll(async () => {
    session.destroy();
    await node[Symbol.asyncDispose]();
  });

  /** Makes one call and waits for its end. */
  async function call(headers: http2.OutgoingHttpHeaders, body: Uint8Array = Buffer.alloc(0)): Promise<Answer> {
    const request = session.request({ ":method": "POST", te: "trailers", ...headers });
    const chunks: Buffer[] = [];
    let response: http2.IncomingHttpHeaders = {};
    let flags = 0;
    let trailers: http2.IncomingHttpHeaders | undefined;
    request.on("response", (received, receivedFlags) => {
      response = received;
      flags = receivedFlags;
    });
    request.on("trailers", (received) => {
      trailers = received;
    });
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.end(body);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    request.on("close", resolve);
    request.on("error", reject);
    await promise;
    return { headers: response, headersOnly: (flags & FLAG.endStream) !== 0, body: Buffer.concat(chunks), trailers };
  }

  test("R-1: response headers and Started leave before the request has a body", async () => {
    using client = await RawH2Client.open({ port: node.port });
    client.request(1, SUBSCRIBE_PATH);
    await until(() => client.bodyOf(1).length > 0, "the first frame");
    expect(client.framesOf(1).map(({ type }) => type)).toEqual([FRAME.headers, FRAME.data]);
    expect(saidIn(client.bodyOf(1))).toEqual([{ kind: "started", keepaliveMs: 30_000 }]);
  });

  test("UNIMPLEMENTED is a single HEADERS frame that ends the stream, for a method and for a service", async () => {
    using client = await RawH2Client.open({ port: node.port });
    const paths = ["/xmtp.mls.api.v1.MlsApi/RegisterInstallation", "/nobody.Knows/This"];
    for (const [at, path] of paths.entries()) {
      const stream = 1 + 2 * at;
      client.request(stream, path);
      const end = await client.frame((frame) => frame.stream === stream, "an answer");
      expect(end.type).toBe(FRAME.headers);
      expect(end.flags & FLAG.endStream).toBe(FLAG.endStream);
      const answer = await call({ ":path": path, "content-type": "application/grpc" });
      expect(answer.headersOnly).toBe(true);
      expect(answer.headers).toMatchObject({ ":status": 200, "content-type": "application/grpc+proto" });
      expect(answer.headers["grpc-status"]).toBe("12");
      expect(`${answer.headers["grpc-message"]}`.length).toBeGreaterThan(20);
    }
  });

  test("UNIMPLEMENTED reaches a foreign client as such", async () => {
    using client = new GrpcClient(node.port);
    expect((await client.call("/xmtp.mls.api.v1.MlsApi/GetIdentityUpdates")).code).toBe(12);
  });

  test("an encoding that nobody knows is UNIMPLEMENTED, and says which are known", async () => {
    const headers = { ":path": SUBSCRIBE_PATH, "content-type": "application/grpc", "grpc-encoding": "lzma" };
    const answer = await call(headers);
    expect(answer.headersOnly).toBe(true);
    expect(answer.headers["grpc-status"]).toBe("12");
    expect(`${answer.headers["grpc-accept-encoding"]}`).toContain("identity");
  });

  test("what is no RPC is refused in words", async () => {
    const status = async (headers: http2.OutgoingHttpHeaders) => Number((await call(headers)).headers[":status"]);
    expect(await status({ ":path": "/", "content-type": "text/html" })).toBe(404);
    expect(await status({ ":path": SUBSCRIBE_PATH, "content-type": "text/html" })).toBe(415);
    expect(await status({ ":path": SUBSCRIBE_PATH, ":method": "PUT", "content-type": "application/grpc" })).toBe(405);
    expect((await call({ ":path": SUBSCRIBE_PATH, "content-type": "text/html" })).body.toString()).toContain("wanted");
  });

  test("the status of a stream stands in its trailers, its words percent-encoded", async () => {
    const request = envelopeOf(mutateRequest(1n, { adds: [{ topic: "\u0009ü" }] }));
    const answer = await call({ ":path": SUBSCRIBE_PATH, "content-type": "application/grpc+proto" }, request);
    expect(answer.trailers?.["grpc-status"]).toBe("3");
    expect(`${answer.trailers?.["grpc-message"]}`).toMatch(/^[ -~]+$/);
    expect(saidIn(answer.body).map(({ kind }) => kind)).toEqual(["started"]);
  });

  test("Connect streams in protobuf end with an envelope instead of trailers", async () => {
    node.publish(A, 2);
    const request = envelopeOf(mutateRequest(1n, { adds: [{ topic: A }], historyOnly: true }));
    const answer = await call({ ":path": SUBSCRIBE_PATH, "content-type": "application/connect+proto" }, request);
    expect(answer.headers["content-type"]).toBe("application/connect+proto");
    expect(saidIn(answer.body).map(({ kind }) => kind)).toEqual(["started", "messages", "topicsLive", "complete"]);
    const last = envelopesIn(answer.body).at(-1);
    expect(last?.flags).toBe(2);
    expect(JSON.parse(`${last?.message}`)).toEqual({});
  });

  test("a Connect stream that fails says why in its last envelope", async () => {
    const answer = await call(
      { ":path": SUBSCRIBE_PATH, "content-type": "application/connect+proto" },
      envelopeOf(mutateRequest(0n, { adds: [{ topic: A }] })),
    );
    const { error } = JSON.parse(`${envelopesIn(answer.body).at(-1)?.message}`);
    expect(error.code).toBe("invalid_argument");
    expect(error.message.length).toBeGreaterThan(10);
  });

  test("JSON goes through Connect to the same session", async () => {
    const mutate = { mutateId: "1", historyOnly: true, adds: [{ topic: Buffer.from(A, "latin1").toString("base64") }] };
    const json = Buffer.from(JSON.stringify({ v1: { mutate } }));
    const envelope = Buffer.concat([Buffer.from([0, 0, 0, 0, json.length]), json]);
    const answer = await call({ ":path": SUBSCRIBE_PATH, "content-type": "application/connect+json" }, envelope);
    const said = envelopesIn(answer.body).map(({ message }) => JSON.parse(`${message}`));
    expect(said[0]).toEqual({ v1: { started: { keepaliveIntervalMs: 30_000 } } });
    expect(said.at(-2)).toEqual({ v1: { catchupComplete: { mutateId: "1" } } });
    expect(said.at(-1)).toEqual({});
  });

  test("gzip goes through Connect, which can undo it", async () => {
    const request = Bun.gzipSync(new Uint8Array(envelopeOf(mutateRequest(1n, { removes: [A] })).subarray(5)));
    const envelope = Buffer.concat([Buffer.from([1, 0, 0, 0, request.length]), request]);
    const headers = { ":path": SUBSCRIBE_PATH, "content-type": "application/grpc", "grpc-encoding": "gzip" };
    const answer = await call(headers, envelope);
    expect(answer.trailers?.["grpc-status"]).toBe("0");
    expect(saidIn(answer.body).map(({ kind }) => kind)).toEqual(["started", "complete"]);
  });

  test("a deadline that the client gives its call is kept", async () => {
    const request = session.request({
      ":method": "POST",
      ":path": SUBSCRIBE_PATH,
      "content-type": "application/grpc",
      "grpc-timeout": "60m",
    });
    let status: unknown;
    request.on("trailers", (trailers) => {
      status = trailers["grpc-status"];
    });
    request.resume();
    await until(() => status !== undefined, "trailers");
    expect(status).toBe("4");
    request.close();
  });

  test("R-5, R-5b: requests may come before anything was read, and unknown ones are ignored", async () => {
    using client = await RawH2Client.open({ port: node.port });
    client.request(1, SUBSCRIBE_PATH);
    // V1 with field 15, which nobody knows; then two Mutates in one piece.
    const unknown = Buffer.from([0, 0, 0, 0, 4, 0x0a, 0x02, 0x78, 0x01]);
    const mutates = [1n, 2n].map((id) => envelopeOf(mutateRequest(id, { adds: [{ topic: A }] })));
    client.data(1, Buffer.concat([unknown, ...mutates]), true);
    await until(() => client.framesOf(1).some(({ flags }) => flags === 5), "trailers");
    const said = saidIn(client.bodyOf(1));
    expect(said[0]?.kind).toBe("started");
    expect(said.flatMap((one) => (one.kind === "complete" ? [one.id] : [])).sort()).toEqual([1n, 2n]);
    expect(node.ignoredRequests).toEqual(["Subscribe"]);
  });

  test("R-4: a request of no known version ends the stream with INVALID_ARGUMENT", async () => {
    const answer = await call(
      { ":path": SUBSCRIBE_PATH, "content-type": "application/grpc" },
      Buffer.from([0, 0, 0, 0, 0]),
    );
    expect(answer.trailers?.["grpc-status"]).toBe("3");
  });
});
