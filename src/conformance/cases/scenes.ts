/** Situations that several cases begin with. */

import type { Topic } from "../../core/topic";
import type { NodeUnderTest } from "../client/node";
import type { ProbeStream } from "../client/probe-stream";

/** HTTP/2's own default: what a server may send ahead to a reader that has stopped. */
const SMALL_WINDOW_BYTES = 65_535;

/** A message larger than what servers like to put into one frame with others. */
export const LARGE_MESSAGE_BYTES = 1 << 20;

/** A stream that has stopped reading in the middle of the wave of Mutate 1. */
export interface BlockedWave {
  readonly stream: ProbeStream;
  /** The group with more history than a server sends ahead; it is written no more. */
  readonly long: Topic;
  readonly longIds: readonly bigint[];
  /** Another group of the wave, which has two messages so far, and is the case's own. */
  readonly own: Topic;
}

export interface BlockedWaveOptions {
  /** Topics that are live when the wave begins, by Mutate 100. */
  readonly live?: readonly Topic[];
  readonly historyOnly?: boolean;
  /** Whether Pings are answered; they are unless told. */
  readonly answering?: boolean;
}

/**
 * Opens a stream on a connection of its own and stops reading it when the wave of Mutate 1 has begun: there is so much
 * of it that it cannot end before the reader goes on.
 */
export async function blockedWave(node: NodeUnderTest, options: BlockedWaveOptions = {}): Promise<BlockedWave> {
  const { live = [], historyOnly = false, answering = true } = options;
  const { topic: long, messages } = await node.longTopic();
  const own = node.group();
  const [first = 0n] = await node.publish(own, 2);
  const connection = node.connect(SMALL_WINDOW_BYTES);
  const stream = node.open({ connection, answering });
  // Whoever serves this connection has seen everything that was acked, once a history_only wave is through.
  stream.mutate(99n, { add: [[own, first]], historyOnly: true });
  await stream.complete(99n);
  if (live.length > 0) await stream.subscribe(100n, ...live);
  stream.pauseAt((said) => said.kind === "messages" && said.lane === 1n);
  stream.mutate(1n, { add: [long, own], historyOnly });
  await stream.until(() => stream.idsOf(1n).length > 0, "the wave to begin");
  return { stream, long, longIds: messages.map(({ id }) => id), own };
}
