/**
 * The requests of the two older server streams, SubscribeGroupMessages and SubscribeWelcomeMessages: to a
 * session they are one fixed Mutate. What they deliver is the message of each entry by itself.
 */

import { GROUP, type Kind, WELCOME } from "../core/topic";
import { latin1 } from "./bytes";
import {
  type SubscribeGroupMessagesRequest,
  SubscribeGroupMessagesRequestSchema,
  type SubscribeWelcomeMessagesRequest,
  SubscribeWelcomeMessagesRequestSchema,
} from "./gen/mls/api/v1/mls_pb";
import { type DecodedRequest, decodeRequest, malformed } from "./subscribe";
import { MAX_IDENTIFIER_BYTES } from "./unary";

/** The one Mutate of such a stream. Its wave's tag is never sent. */
const MUTATE_ID = 1n;

interface Filter {
  readonly identifier: Uint8Array;
  readonly idCursor: bigint;
}

/**
 * Reads the request of SubscribeGroupMessages. Bytes that are none, or a filter without a group, are `malformed`.
 * No filter at all is a silent stream: the SDKs open one before they know of a group, and give up if it ends.
 */
export function decodeSubscribeGroupMessagesRequest(bytes: Uint8Array): DecodedRequest {
  return decodeRequest(SubscribeGroupMessagesRequestSchema, bytes, fromSubscribeGroupMessagesRequest);
}

/** Reads the request of SubscribeWelcomeMessages. Bytes that are none, or name no installation, are `malformed`. */
export function decodeSubscribeWelcomeMessagesRequest(bytes: Uint8Array): DecodedRequest {
  return decodeRequest(SubscribeWelcomeMessagesRequestSchema, bytes, fromSubscribeWelcomeMessagesRequest);
}

/** The same for a request that another codec has read already. */
export function fromSubscribeGroupMessagesRequest({ filters }: SubscribeGroupMessagesRequest): DecodedRequest {
  const groups = filters.map(({ groupId, idCursor }) => ({ identifier: groupId, idCursor }));
  return fixedMutate(GROUP, "group_id", groups);
}

/** The same for a request that another codec has read already. Every client has an installation to name. */
export function fromSubscribeWelcomeMessagesRequest({ filters }: SubscribeWelcomeMessagesRequest): DecodedRequest {
  if (filters.length === 0) return malformed("filters: wanted at least 1, found none");
  const installations = filters.map(({ installationKey, idCursor }) => ({ identifier: installationKey, idCursor }));
  return fixedMutate(WELCOME, "installation_key", installations);
}

function fixedMutate(kind: Kind, field: string, filters: readonly Filter[]): DecodedRequest {
  const bad = filters.findIndex(({ identifier: { length } }) => length === 0 || length > MAX_IDENTIFIER_BYTES);
  if (bad !== -1) {
    const found = filters[bad]?.identifier.length;
    return malformed(`filters[${bad}].${field}: wanted 1 to ${MAX_IDENTIFIER_BYTES} bytes, found ${found}`);
  }
  const kindByte = String.fromCharCode(kind);
  const adds = filters.map(({ identifier, idCursor }) => ({ topic: kindByte + latin1(identifier), cursor: idCursor }));
  return { kind: "event", event: { kind: "mutate", mutate: { id: MUTATE_ID, adds, removes: [], historyOnly: false } } };
}
