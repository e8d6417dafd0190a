import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { Alarms, Sleeper } from "../../base/alarms";
import type { Clock } from "../../base/clock";
import type { UnaryRpc } from "../api/unary-rpc";
import type { ByteBudget } from "../byte-budget";
import { type Status, statusOfError } from "../errors";
import { type Envelope, EnvelopeReader, type EnvelopeSink, inEnvelope } from "../framing/envelope";
import { statusOfExcess, statusOfFault, statusOfFlags } from "../framing/fault-status";
import { GRPC_HEADERS, grpcTimeoutMs, grpcTrailers, grpcTrailersOnly } from "../framing/grpc";
import { startDeadline } from "./call-deadline";
import { dismiss } from "./dismiss";
import type { UnaryTrailers } from "./unary-trailers";

/** How much of a response is handed to the transport at once: it tells only of a whole write that it has gone out. */
const SLICE_BYTES = 256 * 1024;
const GOOD_TRAILERS = grpcTrailers({ code: 0, message: "" });

export interface RawUnaryParts {
  readonly rpc: UnaryRpc;
  readonly clock: Clock;
  /** Shared with all streams: a timer of its own for each call would be a good part of what it costs. */
  readonly alarms: Alarms;
  /** Of the connection. */
  readonly trailers: UnaryTrailers;
  /** Requests of the connection that are held. */
  readonly budget: ByteBudget;
  readonly maxRequestBytes: number;
  /** How long the request may take to arrive, in milliseconds. */
  readonly uploadMs: number;
  /** How long a client may take nothing of the response, in milliseconds. */
  readonly stallMs: number;
}

/**
 * Answers a gRPC call on node:http2, without anything in between: a tenth of what Connect costs, which serves the
 * same RPC to all who speak another protocol, codec or encoding.
 *
 * The call is made when the client has half-closed, so one that is reset before is not. From then on it cannot be
 * recalled: a client that cancels, or whose `grpc-timeout` is over, cannot tell whether it was made. What goes wrong
 * leaves as a Trailers-Only response.
 */
export function openRawUnary(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, parts: RawUnaryParts): void {
  new RawUnary(stream, parts).start(headers);
}

class RawUnary implements EnvelopeSink, Sleeper {
  readonly #stream: ServerHttp2Stream;
  readonly #parts: RawUnaryParts;
  readonly #reader: EnvelopeReader;
  #state: "reading" | "running" | "answered" = "reading";
  #request: Uint8Array | undefined;
  /** Bytes that are counted in the connection's budget. */
  #countedBytes = 0;
  /** Bounds the client's part: while the request comes, and while the response goes. */
  #patience: number | undefined;
  #deadline: Disposable | undefined;

  constructor(stream: ServerHttp2Stream, parts: RawUnaryParts) {
    this.#stream = stream;
    this.#parts = parts;
    this.#reader = new EnvelopeReader(parts.maxRequestBytes, this);
    stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd());
    stream.on("close", () => this.#gone());
  }

  start(headers: IncomingHttpHeaders): void {
    this.#bePatient(this.#parts.uploadMs);
    const timeoutMs = headers["grpc-timeout"] === undefined ? undefined : grpcTimeoutMs(headers);
    this.#deadline = startDeadline(this.#parts.clock, timeoutMs, (status) => this.#refuse(status));
  }

  /** For the envelope reader. */
  onEnvelope({ flags, bytes }: Envelope): void {
    const { name } = this.#parts.rpc;
    if (flags !== 0) this.#refuse(statusOfFlags(flags));
    else if (this.#request === undefined) this.#request = bytes;
    else this.#refuse({ code: Code.InvalidArgument, message: `${name} takes one request, got another` });
  }

  #onData(chunk: Uint8Array): void {
    const { budget, maxRequestBytes } = this.#parts;
    budget.receive(chunk.length);
    const fault = this.#reader.read(chunk);
    if (this.#state !== "reading") return;
    const excess = this.#count();
    if (excess !== undefined) this.#refuse(statusOfExcess(excess));
    else if (fault !== undefined) this.#refuse(statusOfFault(fault, maxRequestBytes));
  }

  #onEnd(): void {
    if (this.#state !== "reading") return;
    const { rpc, maxRequestBytes } = this.#parts;
    const fault = this.#reader.end();
    if (fault !== undefined) {
      this.#refuse(statusOfFault(fault, maxRequestBytes));
    } else if (this.#request === undefined) {
      this.#refuse({ code: Code.InvalidArgument, message: `${rpc.name} takes one request, got none` });
    } else {
      void this.#run(this.#request);
    }
  }

  /** Never rejects: what goes wrong is how the call ends. */
  async #run(request: Uint8Array): Promise<void> {
    this.#state = "running";
    this.#stopPatience();
    try {
      this.#reply(await this.#parts.rpc.answer(request));
    } catch (error) {
      this.#refuse(statusOfError(error));
    }
    this.#letGo();
  }

  #reply(response: Uint8Array): void {
    if (!this.#beginAnswer()) return;
    this.#stream.respond(GRPC_HEADERS, { waitForTrailers: true });
    this.#parts.trailers.expect();
    this.#stream.on("wantTrailers", () => this.#parts.trailers.send(this.#stream, GOOD_TRAILERS));
    this.#write(inEnvelope(0, response));
  }

  #write(bytes: Buffer): void {
    if (bytes.length <= SLICE_BYTES) {
      this.#stream.end(bytes);
      // Most responses fit into the client's window: then nothing is left to wait for.
      if (this.#stream.writableLength > 0) this.#bePatient(this.#parts.stallMs);
      return;
    }
    this.#bePatient(this.#parts.stallMs);
    this.#stream.write(bytes.subarray(0, SLICE_BYTES), (error) => {
      if ((error ?? undefined) === undefined && !this.#stream.destroyed) this.#write(bytes.subarray(SLICE_BYTES));
    });
  }

  #refuse(status: Status): void {
    const isAllRead = this.#state === "running";
    if (!this.#beginAnswer()) return;
    this.#bePatient(this.#parts.stallMs);
    if (!isAllRead) {
      this.#reader.drop();
      this.#letGo();
      dismiss(this.#stream, this.#parts.clock);
    }
    this.#stream.respond(grpcTrailersOnly(status), { endStream: true });
  }

  /** Whether there is still somebody to answer, who was not answered yet. */
  #beginAnswer(): boolean {
    if (this.#state === "answered" || this.#stream.destroyed || this.#stream.closed) return false;
    this.#state = "answered";
    this.#deadline?.[Symbol.dispose]();
    return true;
  }

  /** Resets the stream unless something is heard of the client within `ms`. */
  #bePatient(ms: number): void {
    this.#stopPatience();
    this.#patience = this.#parts.alarms.set(this, this.#parts.clock.now() + ms);
  }

  #stopPatience(): void {
    if (this.#patience === undefined) return;
    this.#parts.alarms.cancel(this, this.#patience);
    this.#patience = undefined;
  }

  /** For the alarms. */
  onAlarm(): void {
    this.#patience = undefined;
    this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  /** The transport has let go of the stream. A call that is being made goes on; nobody hears of it. */
  #gone(): void {
    this.#stopPatience();
    this.#deadline?.[Symbol.dispose]();
    if (this.#state === "running") return;
    this.#reader.drop();
    this.#letGo();
  }

  #letGo(): void {
    this.#request = undefined;
    this.#count();
  }

  /** Keeps the budget right. Returns in words what has become too much. */
  #count(): string | undefined {
    const heldBytes = this.#reader.heldBytes + (this.#request?.length ?? 0);
    const excess = this.#parts.budget.add(heldBytes - this.#countedBytes);
    this.#countedBytes = heldBytes;
    return excess;
  }
}
