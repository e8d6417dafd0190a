import { randomBytes } from "node:crypto";
import { wrapPayload } from "../../../src/cli/payload";
import { NodeApi, NodeError } from "../../../src/client";
import type { FaultNode } from "./node";

const GROUP_ID = Buffer.alloc(32, 1);
/** Larger than what a page of the database may still have room for. */
const BYTES = 100_000;
const PATIENCE_MS = 20_000;

/** Publishes a message outside of the drill: "ok", or the status and the words of the refusal. */
export async function askToStore({ address }: FaultNode): Promise<string> {
  using api = new NodeApi({ address: `http://${address}`, timeoutMs: PATIENCE_MS });
  try {
    await api.sendGroupMessages([{ data: wrapPayload(GROUP_ID, randomBytes(BYTES)) }]);
    return "ok";
  } catch (error) {
    if (!(error instanceof NodeError)) throw error;
    return `${error.status}: ${error.message}`;
  }
}
