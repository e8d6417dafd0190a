import type { Clock } from "../../base/clock";
import { NodeUnderTest } from "./node";

/** The server could not be spoken to at all, or not any more. */
export class Unreachable extends Error {
  constructor(why: string) {
    super(why);
    this.name = "Unreachable";
  }
}

export interface Reach {
  readonly address: string;
  /** How long the server may take to begin a stream, in milliseconds. */
  readonly patienceMs: number;
  readonly clock: Clock;
}

/** What a server that begins no stream, but answers, is taken to promise, in milliseconds. */
const UNTOLD_KEEPALIVE_MS = 30_000;

/** The keepalive interval that the server promises, in milliseconds. @throws Unreachable */
export async function learnKeepalive({ address, patienceMs, clock }: Reach): Promise<number> {
  using node = new NodeUnderTest({ address, keepaliveMs: 0, patienceMs, clock });
  const stream = node.open();
  try {
    await stream.until(() => stream.count("started") > 0, "Started");
  } catch {
    const { end } = stream;
    if (end === undefined || end.httpStatus === undefined) throw new Unreachable(end?.message ?? stream.account());
  }
  const [first] = stream.frames;
  return first?.kind === "started" ? first.keepaliveMs : UNTOLD_KEEPALIVE_MS;
}

/** Why the server cannot be spoken to any more; `undefined` if it can. */
export async function lossOf(reach: Reach): Promise<string | undefined> {
  try {
    await learnKeepalive(reach);
    return undefined;
  } catch (error) {
    if (error instanceof Unreachable) return error.message;
    throw error;
  }
}
