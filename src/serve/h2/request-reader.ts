import type { ServerHttp2Stream } from "node:http2";
import { Code } from "@connectrpc/connect";
import type { ByteBudget } from "../byte-budget";
import type { Status } from "../errors";
import { type Envelope, EnvelopeReader, type EnvelopeSink } from "../framing/envelope";
import { statusOfExcess, statusOfFault, statusOfFlags } from "../framing/fault-status";
import type { StreamRunner } from "../stream/runner";
import type { StreamRpc } from "./stream-rpc";

/**
 * How many requests are still taken while the client reads nothing. Each may cost an answer that waits, so they are
 * bounded; a client that pipelines and reads does not meet the bound, because room for answers begins it anew.
 */
const REQUESTS_WHILE_BLOCKED = 1_024;

interface RequestReaderParts {
  readonly rpc: StreamRpc;
  readonly budget: ByteBudget;
  readonly maxRequestBytes: number;
}

/** Reads the requests of one stream and tells its runner, in order and as they arrive. */
export class RequestReader implements EnvelopeSink {
  readonly #stream: ServerHttp2Stream;
  readonly #runner: StreamRunner;
  readonly #parts: RequestReaderParts;
  readonly #reader: EnvelopeReader;
  #requests = 0;
  /** Bytes that are counted in the connection's budget. */
  #countedBytes = 0;
  /** How many more requests are taken; `undefined` while the client reads. */
  #allowance: number | undefined;

  constructor(stream: ServerHttp2Stream, runner: StreamRunner, parts: RequestReaderParts) {
    this.#stream = stream;
    this.#runner = runner;
    this.#parts = parts;
    this.#reader = new EnvelopeReader(parts.maxRequestBytes, this);
    stream.on("data", (chunk: Uint8Array) => this.#onData(chunk));
    stream.on("end", () => this.#onEnd());
  }

  /** The client does not read what it was sent. */
  blocked(): void {
    this.#allowance = REQUESTS_WHILE_BLOCKED;
  }

  /** The client reads again. */
  flushed(): void {
    this.#allowance = undefined;
    this.#stream.resume();
  }

  /** There has to be one by now, `ms` after the stream began. */
  expect(ms: number): void {
    if (this.#requests > 0) return;
    const message = `${this.#parts.rpc.name}: wanted the whole request within ${ms} ms, found ${this.#reader.heldBytes} bytes of it; begin again`;
    this.#refuse({ code: Code.DeadlineExceeded, message });
  }

  /** No further request is wanted: what comes is thrown away. */
  drop(): void {
    this.#reader.drop();
    this.#count();
    this.#stream.resume();
  }

  #onData(chunk: Uint8Array): void {
    this.#parts.budget.receive(chunk.length);
    const fault = this.#reader.read(chunk);
    const excess = this.#count();
    if (excess !== undefined) {
      this.#refuse(statusOfExcess(excess));
    } else if (fault !== undefined) {
      this.#refuse(statusOfFault(fault, this.#parts.maxRequestBytes));
    }
  }

  /** For the envelope reader. */
  onEnvelope({ flags, bytes }: Envelope): void {
    const { rpc } = this.#parts;
    this.#requests++;
    if (flags !== 0) {
      this.#refuse(statusOfFlags(flags));
      return;
    }
    if (rpc.kind === "fixed" && this.#requests > 1) {
      this.#refuse({ code: Code.InvalidArgument, message: `${rpc.name} takes one request, got another` });
      return;
    }
    const decoded = rpc.decode(bytes);
    if (decoded.kind === "event") this.#runner.push(decoded.event);
    else this.#runner.ignoreRequest();
    if (this.#allowance === undefined) return;
    this.#allowance--;
    if (this.#allowance <= 0) this.#stream.pause();
  }

  #onEnd(): void {
    const fault = this.#reader.end();
    const { rpc } = this.#parts;
    if (fault !== undefined) this.#refuse(statusOfFault(fault, this.#parts.maxRequestBytes));
    else if (rpc.kind === "mutable") this.#runner.push({ kind: "halfClosed" });
    else if (this.#requests === 0) {
      this.#refuse({ code: Code.InvalidArgument, message: `${rpc.name} takes one request, got none` });
    }
  }

  #refuse(status: Status): void {
    this.#reader.drop();
    this.#count();
    this.#runner.refuse(status);
  }

  /** Keeps the budget right. Returns in words what has become too much. */
  #count(): string | undefined {
    const { heldBytes } = this.#reader;
    const excess = this.#parts.budget.add(heldBytes - this.#countedBytes);
    this.#countedBytes = heldBytes;
    return excess;
  }
}
