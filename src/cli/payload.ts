/** Plain bytes in an MLS message, so that a node takes them: for experiments, nothing is encrypted. */

import { randomBytes } from "node:crypto";
import { encodeGroupMessage, parseGroupMessage } from "../mls/group-message";
import { TlsReader } from "../mls/reader";

const UNIQUE_BYTES = 16;
const EMPTY = new Uint8Array();

/**
 * A well-formed PrivateMessage that carries `payload` where its ciphertext would be. Random bytes make it
 * unique: a node takes a message with the same bytes for the same message and delivers it once.
 */
export function wrapPayload(groupId: Uint8Array, payload: Uint8Array): Uint8Array {
  return encodeGroupMessage({
    groupId,
    epoch: 0n,
    contentType: "application",
    authenticatedData: EMPTY,
    encryptedSenderData: randomBytes(UNIQUE_BYTES),
    ciphertext: payload,
  });
}

/** The payload of a message made by {@link wrapPayload}, or the ciphertext of any other; `undefined` if it is no PrivateMessage. */
export function unwrapPayload(data: Uint8Array): Uint8Array | undefined {
  if (parseGroupMessage(data).kind === "invalid") return undefined;
  const reader = new TlsReader(data);
  reader.uint("version", 2);
  reader.uint("wire_format", 2);
  reader.opaque("group_id");
  reader.uint("epoch", 8);
  reader.uint("content_type", 1);
  reader.opaque("authenticated_data");
  reader.opaque("encrypted_sender_data");
  return reader.opaque("ciphertext");
}
