/** The process as commands see it: passed in, so that a test can bring its own. */

import { constants } from "node:os";

export interface Output {
  readonly isTerminal: boolean;
  /** Takes text at once; what the reader has not taken yet is kept. Whoever writes much awaits {@link room}. */
  write(text: string): void;
  /** Resolves when the reader has taken enough for more to be written; at once if there is room, or nobody reads any more. */
  room(): Promise<void>;
}

export interface Io {
  /** Data. */
  readonly stdout: Output;
  /** Talk. */
  readonly stderr: Output;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Who started this process, if it was started to be asked things. */
  readonly parent: ParentProcess | undefined;
  /** Aborts with an {@link Interrupted} when the program is to end: Ctrl-C, SIGTERM, or nobody reads its output. */
  readonly signal: AbortSignal;
}

/** The process that started this one, over the channel that it has opened for that. */
export interface ParentProcess {
  /** Answers its questions: to each by name there is a reply, which must not fail. Others are not answered. */
  answer(replies: Readonly<Record<string, () => Promise<string>>>): void;
}

export type StopSignal = "SIGINT" | "SIGTERM" | "SIGPIPE";

/** Why `Io.signal` aborted. */
export class Interrupted extends Error {
  readonly by: StopSignal;
  constructor(by: StopSignal) {
    super(`interrupted by ${by}`);
    this.name = "Interrupted";
    this.by = by;
  }
}

/** The exit code by which a shell knows what ended a program: 128 plus the signal's number (130 for Ctrl-C). */
export function exitCodeOf(by: StopSignal): number {
  return 128 + constants.signals[by];
}

/** The real process. Dispose of it when the command is done: it flushes and lets go of the signals. */
export interface ProcessIo extends AsyncDisposable {
  readonly io: Io;
}

/**
 * Joins a command to the real process. The first SIGINT or SIGTERM asks it to end, the second ends the
 * program on the spot. A closed stdout (as behind `| head`) asks it to end too.
 */
export function openProcessIo(): ProcessIo {
  const stop = new AbortController();
  const onSignal = (by: "SIGINT" | "SIGTERM"): void => {
    if (stop.signal.aborted) process.exit(exitCodeOf(by));
    stop.abort(new Interrupted(by));
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  const stdout = outputTo(process.stdout, () => stop.abort(new Interrupted("SIGPIPE")));
  const stderr = outputTo(process.stderr, () => {});
  return {
    io: { stdout, stderr, stdin: process.stdin, env: process.env, parent: parentProcess(), signal: stop.signal },
    [Symbol.asyncDispose]: async () => {
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
      await Promise.all([stdout.flushed(), stderr.flushed()]);
    },
  };
}

function parentProcess(): ParentProcess | undefined {
  if (process.send === undefined) return undefined;
  return {
    answer: (replies) => {
      process.on("message", async (question: unknown) => {
        if (typeof question !== "string" || !Object.hasOwn(replies, question)) return;
        const answer = await replies[question]?.();
        if (process.connected) process.send?.({ question, answer });
      });
    },
  };
}

interface Stream extends NodeJS.WritableStream {
  readonly isTTY?: boolean;
}

/** An output to a stream of the process. `onClosed`: its reader went away; nothing written from then on arrives. */
function outputTo(stream: Stream, onClosed: () => void): Output & { flushed(): Promise<void> } {
  let open = true;
  let full = false;
  const waiting: (() => void)[] = [];
  const release = (): void => {
    full = false;
    for (const resolve of waiting.splice(0)) resolve();
  };
  stream.on("drain", release);
  stream.on("error", () => {
    if (!open) return;
    open = false;
    release();
    onClosed();
  });
  return {
    isTerminal: stream.isTTY === true,
    write: (text) => {
      if (open && !stream.write(text)) full = true;
    },
    room: () => (full && open ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()),
    flushed: () => {
      if (!open) return Promise.resolve();
      return new Promise((resolve) => {
        waiting.push(resolve);
        stream.write("", () => resolve());
      });
    },
  };
}
