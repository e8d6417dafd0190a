import { mlsMessage, sendRequest } from "./protobuf";
import { RawConnection } from "./raw-h2";

export interface CallFilling {
  readonly group: Uint8Array;
  readonly messages: number;
  /** Of each message. */
  readonly bytes: number;
}

const REQUEST_MESSAGES = 500;
const CALLS_AT_ONCE = 4;

/** Gives a group of a running node a history, by publishing it. */
export async function fillByCalls(address: string, { group, messages, bytes }: CallFilling): Promise<void> {
  const connection = await RawConnection.open(address);
  let next = 0;
  const publish = async () => {
    while (next < messages) {
      const from = next;
      next = Math.min(from + REQUEST_MESSAGES, messages);
      const batch = Array.from({ length: next - from }, (_, i) => {
        const head = Buffer.alloc(8);
        head.writeDoubleBE(from + i);
        return mlsMessage(group, head, bytes);
      });
      await connection.call("/xmtp.mls.api.v1.MlsApi/SendGroupMessages", sendRequest(batch));
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, publish));
  connection.close();
}
