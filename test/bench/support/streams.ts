/** Streams as a load client holds them, and waiting for what they bring. */

import { mutateRequest, pongRequest, readResponse } from "./protobuf";
import type { RawConnection, RawStream } from "./raw-h2";

const SUBSCRIBE = "/xmtp.mls.api.v1.MlsApi/Subscribe";
/** Without any progress, after which a load client gives up. */
const GIVE_UP_MS = 30_000;

export interface Subscription {
  /** Group ids. */
  readonly topics: readonly Uint8Array[];
  readonly cursor?: bigint;
  /** Called per delivery frame. */
  readonly onCount?: (messages: number) => void;
  /** Called per message with its GroupMessage; the bytes are valid during the call only. */
  readonly onEntry?: (entry: Buffer) => void;
  readonly onComplete: () => void;
}

/** Opens a stream that adds topics by one Mutate (id 1) and answers Pings. Its end is the end of this process. */
export function subscribe(connection: RawConnection, subscription: Subscription): RawStream {
  const { topics, cursor = 0n, onCount, onEntry, onComplete } = subscription;
  const stream = connection.open(SUBSCRIBE, {
    onMessage: (message) => {
      const seen = readResponse(message, onEntry);
      if (seen.kind === "messages") onCount?.(seen.count);
      if (seen.kind === "complete") onComplete();
      if (seen.kind === "ping") stream.send(pongRequest(seen.nonce));
    },
    onEnd: () => {
      throw new Error("a stream ended in the middle");
    },
  });
  stream.send(mutateRequest(1n, topics, cursor));
  return stream;
}

/** Lets one loop wait for what callbacks bring about. */
export class Progress {
  #wake = () => {};

  /** Something has changed. */
  made(): void {
    this.#wake();
  }

  /** Waits until `condition` holds, looking whenever progress was made; fails after 30 s without any. */
  async until(condition: () => boolean, what: string): Promise<void> {
    while (!condition()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), GIVE_UP_MS);
      this.#wake = resolve;
      await promise;
      clearTimeout(timer);
    }
  }
}
