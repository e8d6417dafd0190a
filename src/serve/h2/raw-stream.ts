import { constants, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { ByteBudget } from "../byte-budget";
import { type StreamEnd, statusOfEnd } from "../stream/end";
import type { StreamHost } from "../stream/host";
import { StreamRunner } from "../stream/runner";
import type { TurnGroup } from "../stream/turn";
import { startDeadline } from "./call-deadline";
import { dismiss } from "./dismiss";
import type { FrameEncoder } from "./frame-encoder";
import { RequestReader } from "./request-reader";
import type { SessionFlush } from "./session-flush";
import type { StreamProtocol } from "./stream-protocol";
import type { StreamRpc } from "./stream-rpc";

/** How much a stream pulls in one turn before the others have theirs, in bytes; one frame may go beyond. */
const TURN_BYTES = 256 * 1024;
/**
 * How much is handed to the transport at once. Small, because the transport tells only of a whole write that
 * it has gone out, and a reader that takes a little at a time must be seen to be alive.
 */
const SLICE_BYTES = 16 * 1024;
/** How long an end may take to leave to a peer that is believed to be gone, in milliseconds. */
const LAST_WORDS_MS = 1_000;

export interface RawStreamParts {
  readonly host: StreamHost;
  readonly rpc: StreamRpc;
  readonly protocol: StreamProtocol;
  readonly encoder: FrameEncoder;
  /** The turns of the connection. */
  readonly group: TurnGroup;
  readonly flush: SessionFlush;
  /** Requests of the connection's streams that are not whole yet. */
  readonly budget: ByteBudget;
  readonly maxRequestBytes: number;
  /** How long the request may take to arrive, in milliseconds, if there is to be one only. */
  readonly uploadMs: number;
  /** Called when the stream ends because its client is believed to be gone. */
  readonly onBelievedGone: () => void;
}

/** Serves a stream until its end. Sends the headers and the first frame at once. */
export function openRawStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, parts: RawStreamParts): void {
  new RawStream(stream, parts).start(headers);
}

/**
 * One stream on node:http2, without anything in between: pulls frames from its runner and writes them as they
 * are, in one write per turn.
 *
 * At most one write is under way, and while it is nothing is pulled: what a client does not read stays in the
 * tail and the store, where it costs this stream an integer. Requests are read all the same, because the Pong that
 * proves a slow reader alive is among them; but each is answered, so a client that asks and never
 * reads is not listened to any more until it does.
 */
class RawStream {
  readonly #stream: ServerHttp2Stream;
  readonly #parts: RawStreamParts;
  readonly #runner: StreamRunner;
  readonly #requests: RequestReader;
  /** Whether a write is under way. */
  #writing = false;
  /** What is left to write of the last turn's bytes, which are held until the last of them has been. */
  #rest: Buffer | undefined;
  #heldBytes = 0;
  /** Whether the runner may have more, for which this turn had no room. */
  #more = false;
  /** Whether the session was told that the wire is full. */
  #blocked = false;
  #ended = false;
  #callTimer: Disposable | undefined;
  #uploadTimer: Disposable | undefined;
  #lastWordsTimer: Disposable | undefined;

  constructor(stream: ServerHttp2Stream, parts: RawStreamParts) {
    const { host, rpc, protocol, group } = parts;
    this.#stream = stream;
    this.#parts = parts;
    this.#runner = new StreamRunner(
      host,
      { rpc: rpc.name, protocol: protocol.name, liveness: rpc.kind === "mutable", group },
      () => this.#onTurn(),
    );
    this.#requests = new RequestReader(stream, this.#runner, parts);
    stream.on("aborted", () => this.#gone(false));
    stream.on("close", () => this.#gone(stream.writableFinished && stream.rstCode === constants.NGHTTP2_NO_ERROR));
  }

  start(headers: IncomingHttpHeaders): void {
    const { host, rpc, protocol, uploadMs } = this.#parts;
    this.#stream.respond(protocol.headers, { waitForTrailers: true });
    const timeoutMs = protocol.timeoutMs(headers);
    this.#callTimer = startDeadline(host.clock, timeoutMs, (status) => this.#runner.refuse(status));
    if (rpc.kind === "fixed") this.#uploadTimer = host.clock.after(uploadMs, () => this.#requests.expect(uploadMs));
    this.#pull();
  }

  #onTurn(): void {
    if (this.#ended || this.#stream.destroyed) return;
    if (this.#writing) {
      this.#block();
      return;
    }
    this.#pull();
    if (!this.#writing) this.#endIfOver();
  }

  /** Writes what the runner has to say now. */
  #pull(): void {
    const { host, rpc, encoder } = this.#parts;
    const bytes = encoder.encode(this.#runner, rpc, host.unsent.shareBytes, TURN_BYTES);
    this.#more = encoder.wasFull;
    if (bytes === undefined) return;
    if (bytes.length > SLICE_BYTES) this.#hold(bytes.length);
    this.#write(bytes);
    // What takes more than this turn is a full wire, and the session is to know.
    if (this.#rest !== undefined) this.#runner.again();
  }

  #hold(bytes: number): void {
    this.#parts.host.unsent.add(bytes - this.#heldBytes);
    this.#heldBytes = bytes;
  }

  #write(bytes: Buffer): void {
    this.#writing = true;
    const sliced = bytes.length > SLICE_BYTES;
    this.#rest = sliced ? bytes.subarray(SLICE_BYTES) : undefined;
    this.#stream.write(sliced ? bytes.subarray(0, SLICE_BYTES) : bytes, this.#onWritten);
    if (this.#stream.writableLength > 0) this.#parts.flush.soon();
  }

  /** The transport took a write: not that the peer has it, but that there is room again. */
  readonly #onWritten = (error?: Error | null) => {
    if (error !== undefined && error !== null) return;
    if (this.#rest !== undefined && !this.#stream.destroyed) {
      if (this.#blocked) this.#progress();
      this.#write(this.#rest);
      return;
    }
    this.#writing = false;
    if (this.#heldBytes > 0) this.#hold(0);
    if (this.#blocked) this.#unblock();
    if (this.#more || this.#runner.end !== undefined) this.#runner.again();
  };

  #block(): void {
    if (this.#runner.end !== undefined) this.#awaitLastWords();
    if (this.#blocked) return;
    this.#blocked = true;
    this.#requests.blocked();
    this.#runner.push({ kind: "blocked" });
  }

  #progress(): void {
    this.#runner.push({ kind: "progress" });
    if (this.#lastWordsTimer === undefined) return;
    this.#lastWordsTimer[Symbol.dispose]();
    this.#lastWordsTimer = undefined;
    this.#awaitLastWords();
  }

  #unblock(): void {
    this.#blocked = false;
    this.#runner.push({ kind: "flushed" });
    this.#requests.flushed();
  }

  #endIfOver(): void {
    const { end } = this.#runner;
    if (end === undefined) return;
    this.#ended = true;
    this.#awaitLastWords();
    this.#requests.drop();
    dismiss(this.#stream, this.#parts.host.clock);
    // Whoever still sends has nothing to do with the session any more. One that doesn't may have cancelled, as is told when it closes.
    this.#stream.once("finish", () => {
      if (!this.#stream.readableEnded) this.#gone(true);
    });
    const { protocol, flush } = this.#parts;
    protocol.end(this.#stream, statusOfEnd(end));
    flush.soon();
    this.#stream.once("wantTrailers", () => flush.soon());
  }

  /** The session is over and watches the clock no longer: neither may its last bytes wait for ever. */
  #awaitLastWords(): void {
    if (this.#lastWordsTimer !== undefined) return;
    const { clock, stallMs } = this.#parts.host;
    const isGone = isBelievedGone(this.#runner.end);
    if (isGone) this.#parts.onBelievedGone();
    this.#lastWordsTimer = clock.after(isGone ? Math.min(stallMs, LAST_WORDS_MS) : stallMs, () => {
      this.#stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  /** The transport has let go of the stream: so do we. */
  #gone(delivered: boolean): void {
    this.#callTimer?.[Symbol.dispose]();
    this.#uploadTimer?.[Symbol.dispose]();
    this.#lastWordsTimer?.[Symbol.dispose]();
    this.#rest = undefined;
    this.#hold(0);
    this.#requests.drop();
    this.#runner.finish(delivered && this.#ended);
  }
}

/** Whether a stream ended for want of any sign of its client. */
function isBelievedGone(end: StreamEnd | undefined): boolean {
  return end?.kind === "closed" && (end.close.reason === "noPong" || end.close.reason === "stalled");
}
