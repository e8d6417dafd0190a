/** `tideline serve`: a node, from its configuration to its end. */

import type { Mistake } from "../base/args";
import { systemClock as clock } from "../base/clock";
import type { ServeConfig } from "../base/config";
import { createLogger, type Logger } from "../base/log";
import type { Io } from "../base/process";
import { messageOf } from "../base/thrown";
import { StoreError } from "../store/error";
import { announce } from "./announce";
import { EXIT, type Trouble, tellMistakes, tellTrouble } from "./exit";
import { startNode } from "./node";
import { Workers } from "./workers";

/** Runs a node until it is asked to stop. Returns the exit code: 0 when it stopped in good order. */
export async function runServe(config: ServeConfig, io: Io): Promise<number> {
  const mistakes = mistakesOf(config);
  if (mistakes.length > 0) return tellMistakes(io, "serve", mistakes);
  const log = openLog(config, io);
  try {
    const workers = new Workers({ clock, log, env: io.env });
    await using node = await startNode(config, log, workers);
    await using _running = workers.start(config, node);
    io.parent?.answer({ ...node.replies });
    announce(node, { log, io, worker: config.worker });
    const stop = config.worker ? AbortSignal.any([io.signal, endOf(io.stdin)]) : io.signal;
    await aborted(stop);
    log.info("stopping", { reason: `${stop.reason?.message}` });
  } catch (error) {
    tellTrouble(io, startTrouble(error));
    return EXIT.failed.code;
  }
  log.info("stopped");
  return EXIT.ok.code;
}

/** What is wrong with settings that each are right by themselves. */
function mistakesOf({ tlsCert, tlsKey }: ServeConfig): readonly Mistake[] {
  if ((tlsCert === undefined) === (tlsKey === undefined)) return [];
  const [given, lacking] =
    tlsKey === undefined ? ["TIDELINE_TLS_CERT", "TIDELINE_TLS_KEY"] : ["TIDELINE_TLS_KEY", "TIDELINE_TLS_CERT"];
  return [
    { where: lacking, wanted: `a file beside ${given}`, came: "nothing", todo: "Give both for TLS, or neither." },
  ];
}

/** Resolves when the program is asked to end. */
function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

/** Aborts when nothing more can come: whoever started this process has ended. */
function endOf(stdin: AsyncIterable<Uint8Array>): AbortSignal {
  const ended = new AbortController();
  const read = async () => {
    for await (const _ of stdin);
  };
  const end = () => ended.abort(new Error("stdin ended"));
  // Also when it cannot be read.
  void read().then(end, end);
  return ended.signal;
}

/** Why a node did not start, or did not stop as it should, in words for whoever started it. */
function startTrouble(error: unknown): Trouble {
  const why = messageOf(error);
  const fault = error instanceof StoreError ? error.fault : undefined;
  const todo =
    fault === "unreachable"
      ? "see that the database runs and DATABASE_URL leads to it"
      : "fix what it says and start again; `tideline serve --help` lists the settings";
  return { what: "the node cannot run", why, todo };
}

function openLog({ logLevel, logFormat }: ServeConfig, io: Io): Logger {
  const format = logFormat === "auto" ? (io.stderr.isTerminal ? "text" : "json") : logFormat;
  return createLogger({ level: logLevel, format, write: (line) => io.stderr.write(`${line}\n`), wallMs: Date.now });
}
