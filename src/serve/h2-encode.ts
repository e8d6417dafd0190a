import type { Frame } from "../core/frame";
import type { StreamRpc } from "./h2-rpc";
import type { StreamRunner } from "./runner";

/** What one turn has to write. */
export interface Taken {
  readonly bytes: Buffer | undefined;
  /** Whether there may be more, for which there was no room. */
  readonly more: boolean;
}

/** Pulls frames until there are none, or `turnBytes` are reached, and writes them into one buffer. */
export function encodeFrames(runner: StreamRunner, rpc: StreamRpc, turnBytes: number): Taken {
  const frames: Frame[] = [];
  let size = 0;
  let frame = runner.nextFrame();
  while (frame !== undefined) {
    const frameSize = rpc.sizeOf(frame);
    if (frameSize > 0) frames.push(frame);
    size += frameSize;
    if (size >= turnBytes) break;
    frame = runner.nextFrame();
  }
  if (size === 0) return NOTHING;
  const bytes = Buffer.allocUnsafe(size);
  let at = 0;
  for (const taken of frames) at = rpc.write(taken, bytes, at);
  return { bytes, more: frame !== undefined };
}

const NOTHING: Taken = { bytes: undefined, more: false };
