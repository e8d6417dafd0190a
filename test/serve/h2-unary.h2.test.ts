import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { connect, createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Alarms } from "../../src/base/alarms";
import { ByteBudget, SharedBudget } from "../../src/serve/byte-budget";
import { inEnvelope } from "../../src/serve/framing/envelope";
import { openRawUnary } from "../../src/serve/h2/raw-unary";
import { UnaryTrailers } from "../../src/serve/h2/unary-trailers";
import { Turns } from "../../src/serve/stream/turn";
import { FLAG, FRAME, RawH2Client } from "../support/h2-raw";
import { until } from "../support/until";
import { VirtualClock } from "../support/virtual-clock";

const PATH = "/test.Service/Echo";
const MAX_REQUEST_BYTES = 1_000_000;
const UPLOAD_MS = 60_000;
const STALL_MS = 30_000;
const [OK, INVALID_ARGUMENT, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, INTERNAL] = [0, 3, 4, 8, 13];

/** Calls that have been made, and what lets them be answered. */
interface Call {
  readonly request: Buffer;
  readonly answer: (response: Uint8Array) => void;
}

let clock: VirtualClock;
let budget: TestBudget;
let calls: Call[];
let streams: ServerHttp2Stream[];
let port: number;

class TestBudget extends ByteBudget {
  heldBytes = 0;

  override add(bytes: number): string | undefined {
    this.heldBytes += bytes;
    return super.add(bytes);
  }
}

const turns = new Turns((error) => {
  throw error;
});
const trailersOf = new WeakMap<object, UnaryTrailers>();
const server = createServer();
server.on("session", (session) => trailersOf.set(session, new UnaryTrailers(turns.group())));
server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
  stream.on("error", () => {});
  streams.push(stream);
  openRawUnary(stream, headers, {
    rpc: {
      name: "Echo",
      path: PATH,
      answer: (request) => {
        const { promise, resolve } = Promise.withResolvers<Uint8Array>();
        calls.push({ request: Buffer.from(request), answer: resolve });
        return promise;
      },
    },
    clock,
    alarms: new Alarms(clock, 1),
    trailers: trailersOf.get(stream.session ?? {}) ?? new UnaryTrailers(turns.group()),
    budget,
    maxRequestBytes: MAX_REQUEST_BYTES,
    uploadMs: UPLOAD_MS,
    stallMs: STALL_MS,
  });
});
beforeAll(async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  port = typeof address === "object" && address !== null ? address.port : 0;
});
beforeEach(() => {
  clock = new VirtualClock();
  budget = new TestBudget(2_000_000, new SharedBudget());
  calls = [];
  streams = [];
});
afterAll(() => {
  server.close();
});

interface Answer {
  /** Of the trailers, or of the headers where there are no others. */
  readonly status: number;
  readonly message: string;
  readonly body: Buffer;
  /** Whether the first HEADERS frame was all there was. */
  readonly trailersOnly: boolean;
}

/** Sends a body, and half-closes unless told; resolves with what came. */
async function call(
  body: Uint8Array,
  { fields = {}, end = true }: { readonly fields?: IncomingHttpHeaders; readonly end?: boolean } = {},
): Promise<Answer> {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on("error", () => {});
  const request = session.request({
    ":method": "POST",
    ":path": PATH,
    "content-type": "application/grpc",
    te: "trailers",
    ...fields,
  });
  request.on("error", () => {});
  const chunks: Buffer[] = [];
  let [headers, trailers]: readonly (IncomingHttpHeaders | undefined)[] = [];
  request.on("response", (received) => {
    headers = received;
  });
  request.on("trailers", (received) => {
    trailers = received;
  });
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  const { promise, resolve } = Promise.withResolvers<void>();
  request.on("close", resolve);
  if (end) request.end(body);
  else request.write(body);
  await promise;
  session.destroy();
  const told = trailers ?? headers;
  return {
    status: Number(told?.["grpc-status"] ?? Number.NaN),
    message: decodeURIComponent(`${told?.["grpc-message"] ?? ""}`),
    body: Buffer.concat(chunks),
    trailersOnly: trailers === undefined && headers?.["grpc-status"] !== undefined,
  };
}

/** Nothing is left behind: no timer, no byte that is counted, no stream. */
async function expectNothingLeft(): Promise<void> {
  await until(() => streams.every(({ destroyed }) => destroyed), "the streams to be gone");
  expect(clock.armed).toBe(0);
  expect(budget.heldBytes).toBe(0);
}

test("a call is answered in a message and trailers, and nothing is left of it", async () => {
  const answer = call(inEnvelope(0, Buffer.from("ping")));
  await until(() => calls.length === 1, "the call");
  expect(calls[0]?.request.toString()).toBe("ping");
  expect(budget.heldBytes).toBe(4);
  calls[0]?.answer(Buffer.from("pong"));
  expect(await answer).toEqual({
    status: OK,
    message: "",
    body: inEnvelope(0, Buffer.from("pong")),
    trailersOnly: false,
  });
  await expectNothingLeft();
});

test("an empty request and an empty response are messages like others", async () => {
  const answer = call(inEnvelope(0, Buffer.alloc(0)));
  await until(() => calls.length === 1, "the call");
  calls[0]?.answer(Buffer.alloc(0));
  expect(await answer).toEqual({ status: OK, message: "", body: Buffer.alloc(5), trailersOnly: false });
});

test("a response of many writes arrives whole", async () => {
  const response = Buffer.alloc(3_000_000, "tide");
  const answer = call(inEnvelope(0, Buffer.alloc(1)));
  await until(() => calls.length === 1, "the call");
  calls[0]?.answer(response);
  const { status, body } = await answer;
  expect([status, body.equals(inEnvelope(0, response))]).toEqual([OK, true]);
  await expectNothingLeft();
});

const TWO = Buffer.concat([inEnvelope(0, Buffer.from("a")), inEnvelope(0, Buffer.from("b"))]);
const BAD = [
  ["no request", Buffer.alloc(0), INVALID_ARGUMENT, "Echo takes one request, got none"],
  ["two requests", TWO, INVALID_ARGUMENT, "Echo takes one request, got another"],
  [
    "a request that is cut off",
    inEnvelope(0, Buffer.from("abcdef")).subarray(0, 8),
    INVALID_ARGUMENT,
    "the body ended in the middle of a request: wanted 11 bytes, found 8",
  ],
  [
    "a compressed request though no encoding was named",
    inEnvelope(1, Buffer.from("a")),
    INTERNAL,
    "wanted a plain request, since the headers name no encoding; found one that is flagged as compressed",
  ],
  [
    "a request that announces more than the limit",
    Buffer.from([0, 0xff, 0xff, 0xff, 0xff]),
    RESOURCE_EXHAUSTED,
    "wanted a request of at most 1000000 bytes, found one of 4294967295; ask for less at a time",
  ],
] as const;

test.each(BAD)("%s is refused by trailers alone, and no call is made", async (_, body, status, message) => {
  expect(await call(body)).toEqual({ status, message, body: Buffer.alloc(0), trailersOnly: true });
  expect(calls).toEqual([]);
  await expectNothingLeft();
});

test("a client that goes on sending what was refused is told to stop, when it has had a second to hear of it", async () => {
  const answer = call(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), { end: false });
  await until(() => streams[0]?.writableFinished === true, "the answer to have left");
  clock.advance(999);
  expect(streams[0]?.closed).toBe(false);
  clock.advance(1);
  expect((await answer).status).toBe(RESOURCE_EXHAUSTED);
  await expectNothingLeft();
});

test("what all calls of a connection hold is bounded, from the first byte to the answer", async () => {
  const large = inEnvelope(0, Buffer.alloc(900_000));
  const answers = [call(large), call(large)];
  await until(() => calls.length === 2, "two calls");
  expect(budget.heldBytes).toBe(1_800_000);
  const third = await call(large);
  expect(third.message).toContain("wanted at most 2000000 bytes of unfinished requests on one connection, found more");
  expect([third.status, calls.length]).toEqual([RESOURCE_EXHAUSTED, 2]);
  for (const { answer } of calls) answer(Buffer.alloc(0));
  expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([OK, OK]);
  await expectNothingLeft();
});

test("a call is made when the client has half-closed, not when its request is whole", async () => {
  using client = await RawH2Client.open({ port });
  client.request(1, PATH);
  client.data(1, inEnvelope(0, Buffer.from("ping")));
  await client.readByServer();
  expect(calls).toEqual([]);
  client.data(1, Buffer.alloc(0), true);
  await until(() => calls.length === 1, "the call");
  calls[0]?.answer(Buffer.from("pong"));
  await client.frame(({ stream, flags }) => stream === 1 && (flags & FLAG.endStream) !== 0, "the end of the response");
  expect(client.framesOf(1).map(({ type }) => type)).toEqual([FRAME.headers, FRAME.data, FRAME.headers]);
});

test("a client that goes away before its request is whole leaves nothing behind", async () => {
  using client = await RawH2Client.open({ port });
  client.request(1, PATH);
  client.data(1, inEnvelope(0, Buffer.alloc(100)).subarray(0, 50));
  await until(() => budget.heldBytes === 50, "half a request");
  client.reset(1);
  await expectNothingLeft();
  expect(calls).toEqual([]);
});

test("a client that goes away during its call does not stop it; nobody hears of the answer", async () => {
  using client = await RawH2Client.open({ port });
  client.request(1, PATH);
  client.data(1, inEnvelope(0, Buffer.from("ping")), true);
  await until(() => calls.length === 1, "the call");
  client.reset(1);
  await until(() => streams[0]?.destroyed === true, "the stream to be gone");
  expect(budget.heldBytes).toBe(4);
  calls[0]?.answer(Buffer.from("pong"));
  await until(() => budget.heldBytes === 0, "the request to be let go");
  await expectNothingLeft();
  expect(client.framesOf(1)).toEqual([]);
});

test("grpc-timeout ends the call with DEADLINE_EXCEEDED; a later answer is nobody's", async () => {
  const answer = call(inEnvelope(0, Buffer.from("ping")), { fields: { "grpc-timeout": "250m" } });
  await until(() => calls.length === 1, "the call");
  clock.advance(250);
  expect(await answer).toEqual({
    status: DEADLINE_EXCEEDED,
    message: "the 250 ms that the client gave this call are over",
    body: Buffer.alloc(0),
    trailersOnly: true,
  });
  calls[0]?.answer(Buffer.from("pong"));
  await until(() => budget.heldBytes === 0, "the request to be let go");
  await expectNothingLeft();
});

test("a call that is answered in time does not meet its deadline", async () => {
  const answer = call(inEnvelope(0, Buffer.from("ping")), { fields: { "grpc-timeout": "1S" } });
  await until(() => calls.length === 1, "the call");
  clock.advance(999);
  calls[0]?.answer(Buffer.from("pong"));
  expect((await answer).status).toBe(OK);
  await expectNothingLeft();
});

test("a request that does not arrive in time is reset", async () => {
  using client = await RawH2Client.open({ port });
  client.request(1, PATH);
  client.data(1, Buffer.from([0, 0]));
  await until(() => streams.length === 1, "the stream");
  clock.advance(UPLOAD_MS);
  await client.frame(({ type, stream }) => type === FRAME.rstStream && stream === 1, "a reset");
  await expectNothingLeft();
});

test("a call may take as long as it does, but its response must be read", async () => {
  using client = await RawH2Client.open({ port, windowBytes: 100_000 });
  client.request(1, PATH);
  client.data(1, inEnvelope(0, Buffer.from("ping")), true);
  await until(() => calls.length === 1, "the call");
  expect(clock.armed).toBe(0);
  calls[0]?.answer(Buffer.alloc(1_000_000));
  await until(() => client.bodyOf(1).length === 100_000, "as much as the window allows");
  clock.advance(STALL_MS - 1);
  client.widen(1, 400_000);
  await until(() => client.bodyOf(1).length === 500_000, "more of the response");
  clock.advance(STALL_MS - 1);
  await client.readByServer();
  expect(client.framesOf(1).some(({ type }) => type === FRAME.rstStream)).toBe(false);
  clock.advance(1);
  await client.frame(({ type, stream }) => type === FRAME.rstStream && stream === 1, "a reset");
  await expectNothingLeft();
});

test("calls of one connection that are answered in one turn each end by themselves", async () => {
  using client = await RawH2Client.open({ port });
  const ids = Array.from({ length: 20 }, (_, n) => 1 + 2 * n);
  for (const id of ids) {
    client.request(id, PATH);
    client.data(id, inEnvelope(0, Buffer.from(`${id}`)), true);
  }
  await until(() => calls.length === 20, "the calls");
  client.reset(7);
  await until(() => streams[3]?.destroyed === true, "a stream to be gone");
  for (const { request, answer } of calls) answer(request);
  const ended = (id: number) => client.framesOf(id).some(({ flags }) => (flags & FLAG.endStream) !== 0);
  const rest = ids.filter((id) => id !== 7);
  await until(() => rest.every(ended), "all ends");
  expect(rest.map((id) => `${client.bodyOf(id).subarray(5)}`)).toEqual(rest.map(String));
  await expectNothingLeft();
});
