/**
 * A hostile client as a process of its own: makes connections and attacks on each until it is cut, then on the
 * next. It ends after `--ms`; if nothing was cut by then, `--patience-ms` later or as soon as something is. Prints an
 * AttackReport as JSON.
 *
 *   bun attacker.ts --port=N --attack=NAME --connections=N --ms=N --patience-ms=N [--deaf]
 */

import { connect, type Socket } from "node:net";
import { parseArgs } from "node:util";
import { systemClock } from "../../../src/base/clock";
import { FRAME, PREFACE, rawFrame } from "../../support/h2-raw";
import { type AttackReport, attackNamed, type NextBytes } from "./attacks";

const { values } = parseArgs({
  options: {
    port: { type: "string" },
    attack: { type: "string", default: "" },
    connections: { type: "string", default: "1" },
    ms: { type: "string" },
    "patience-ms": { type: "string" },
    /** Reads nothing of what the server says. */
    deaf: { type: "boolean", default: false },
  },
});
const begin = attackNamed(values.attack);
const end = systemClock.now() + Number(values.ms);
const lastEnd = end + Number(values["patience-ms"]);
const total = { connections: 0, cut: 0, sentBytes: 0 };
let firstCutMs: number | undefined;
await Promise.all(Array.from({ length: Number(values.connections) }, attackAgainAndAgain));
const report: AttackReport = { ...total, ...(firstCutMs !== undefined && { firstCutMs }) };
process.stdout.write(JSON.stringify(report), () => process.exit());

function isOver(): boolean {
  return systemClock.now() >= (total.cut > 0 ? end : lastEnd);
}

async function attackAgainAndAgain(): Promise<void> {
  while (!isOver()) {
    const socket = connect(Number(values.port), "127.0.0.1");
    total.connections++;
    const began = systemClock.now();
    await attackOn(socket, begin());
    if (socket.destroyed) {
      total.cut++;
      firstCutMs ??= systemClock.now() - began;
    }
    socket.destroy();
  }
}

/** Resolves when the connection is cut, or time is over. */
async function attackOn(socket: Socket, next: NextBytes): Promise<void> {
  socket.on("error", () => {});
  if (!values.deaf) socket.resume();
  socket.write(PREFACE);
  socket.write(rawFrame(FRAME.settings, 0, 0, Buffer.alloc(0)));
  while (!socket.destroyed && !isOver()) {
    const bytes = next();
    total.sentBytes += bytes.length;
    await written(socket, bytes);
  }
}

/** Resolves when the bytes are out, the socket is closed, or time is over; in a later turn, so that it may be. */
function written(socket: Socket, bytes: Buffer): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer[Symbol.dispose]();
      socket.off("close", done);
      setImmediate(resolve);
    };
    const timer = systemClock.after(Math.max(0, lastEnd - systemClock.now()), done);
    socket.once("close", done);
    socket.write(bytes, done);
  });
}
