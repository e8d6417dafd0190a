/**
 * How a stored message becomes the entry that all streams share, and what of it is stored.
 *
 * An entry is one element of `SubscribeResponse.V1.Messages`: field tag (group_messages 1,
 * welcome_messages 2), length, then the encoded GroupMessage or WelcomeMessage. Those hold a single arm of
 * their `version` oneof: `id` (1), `created_ns` (2), then whatever was published, encoded when it was.
 */

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { GROUP, type Kind } from "../core/topic";
import {
  type GroupMessage,
  GroupMessageSchema,
  type WelcomeMessage,
  WelcomeMessage_V1Schema,
  WelcomeMessage_WelcomePointerSchema,
  type WelcomeMessageInput,
  WelcomeMessageSchema,
} from "./gen/mls/api/v1/mls_pb";
import { sizeOfVarint, sizeOfVarint64, skipVarint, writeVarint, writeVarint64 } from "./varint";

/** A message's payload as it is stored: encoded once, when it is published. */
export interface Body {
  /** Field number of the arm of the kind's `version` oneof. */
  readonly arm: number;
  /** The arm's encoded fields, without `id` and `created_ns`. */
  readonly body: Uint8Array;
}

/** A body with its place in the sequence. */
export interface Placed extends Body {
  readonly kind: Kind;
  readonly id: bigint;
  /** Nanoseconds since 1970. */
  readonly createdNs: bigint;
}

/** What a group message consists of once its MLS header has been read. */
export interface GroupBody {
  readonly groupId: Uint8Array;
  readonly data: Uint8Array;
  readonly senderHmac: Uint8Array;
  readonly shouldPush: boolean;
  /** Whether the MLS message is a commit or a proposal. */
  readonly isCommit: boolean;
}

/** A welcome as it was published, of a known version. */
export type WelcomeBody = Exclude<WelcomeMessageInput["version"], { case: undefined }>;

const LENGTH_DELIMITED = 2;
const ID_TAG = 0x08;
const CREATED_TAG = 0x10;
// GroupMessage.V1, where it goes on.
const GROUP_ID_TAG = 0x1a;
const DATA_TAG = 0x22;
const SENDER_HMAC_TAG = 0x2a;
const SHOULD_PUSH_TAG = 0x30;
const IS_COMMIT_TAG = 0x38;

/** The arms that bodies are of: `v1` of both kinds, and the pointer of welcomes. */
const V1_ARM = 1;
const WELCOME_POINTER_ARM = 2;

/** The body of a group message: written by hand, byte for byte what protobuf-es would write. */
export function encodeGroupBody({ groupId, data, senderHmac, shouldPush, isCommit }: GroupBody): Body {
  const flags = (shouldPush ? 2 : 0) + (isCommit ? 2 : 0);
  const body = new Uint8Array(sizeOfBytes(groupId) + sizeOfBytes(data) + sizeOfBytes(senderHmac) + flags);
  let at = writeBytes(GROUP_ID_TAG, groupId, body, 0);
  at = writeBytes(DATA_TAG, data, body, at);
  at = writeBytes(SENDER_HMAC_TAG, senderHmac, body, at);
  at = writeFlag(SHOULD_PUSH_TAG, shouldPush, body, at);
  writeFlag(IS_COMMIT_TAG, isCommit, body, at);
  return { arm: V1_ARM, body };
}

/** The body of a welcome. Fields that only the published form has numbers for get those of the delivered one. */
export function encodeWelcomeBody(version: WelcomeBody): Body {
  switch (version.case) {
    case "v1": {
      const { installationKey, data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata } = version.value;
      const fields = { installationKey, data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata };
      return { arm: V1_ARM, body: toBinary(WelcomeMessage_V1Schema, create(WelcomeMessage_V1Schema, fields)) };
    }
    case "welcomePointer": {
      const { installationKey, welcomePointer, hpkePublicKey, wrapperAlgorithm } = version.value;
      const fields = { installationKey, welcomePointer, hpkePublicKey, wrapperAlgorithm };
      const schema = WelcomeMessage_WelcomePointerSchema;
      return { arm: WELCOME_POINTER_ARM, body: toBinary(schema, create(schema, fields)) };
    }
    default:
      version satisfies never;
      throw new RangeError("a welcome of no known version");
  }
}

/** The entry of a message: written once per process, byte for byte what protobuf-es would write. */
export function encodeEntry(message: Placed): Uint8Array {
  const { kind, id, createdNs, arm, body } = message;
  const createdSize = createdNs === 0n ? 0 : 1 + sizeOfVarint64(createdNs);
  const armSize = 1 + sizeOfVarint64(id) + createdSize + body.length;
  const messageSize = 1 + sizeOfVarint(armSize) + armSize;
  const entry = new Uint8Array(1 + sizeOfVarint(messageSize) + messageSize);
  entry[0] = entryTag(kind);
  let at = writeVarint(messageSize, entry, 1);
  entry[at++] = (arm << 3) | LENGTH_DELIMITED;
  at = writeVarint(armSize, entry, at);
  entry[at++] = ID_TAG;
  at = writeVarint64(id, entry, at);
  if (createdSize > 0) {
    entry[at++] = CREATED_TAG;
    at = writeVarint64(createdNs, entry, at);
  }
  entry.set(body, at);
  return entry;
}

/** The encoded GroupMessage or WelcomeMessage of an entry: a view of it, not a copy. */
export function entryMessage(entry: Uint8Array): Uint8Array {
  return entry.subarray(skipVarint(entry, 1));
}

/** The group message of an entry, for codecs other than protobuf. Its byte fields are views of the entry. */
export function groupMessageOf(entry: Uint8Array): GroupMessage {
  return fromBinary(GroupMessageSchema, entryMessage(entry));
}

/** The welcome of an entry, for codecs other than protobuf. Its byte fields are views of the entry. */
export function welcomeMessageOf(entry: Uint8Array): WelcomeMessage {
  return fromBinary(WelcomeMessageSchema, entryMessage(entry));
}

function entryTag(kind: Kind): number {
  return ((kind === GROUP ? 1 : 2) << 3) | LENGTH_DELIMITED;
}

/** Size of a `bytes` field; one that is empty is left out. */
function sizeOfBytes({ length }: Uint8Array): number {
  return length === 0 ? 0 : 1 + sizeOfVarint(length) + length;
}

function writeBytes(tag: number, bytes: Uint8Array, target: Uint8Array, at: number): number {
  if (bytes.length === 0) return at;
  target[at] = tag;
  const start = writeVarint(bytes.length, target, at + 1);
  target.set(bytes, start);
  return start + bytes.length;
}

function writeFlag(tag: number, flag: boolean, target: Uint8Array, at: number): number {
  if (!flag) return at;
  target[at] = tag;
  target[at + 1] = 1;
  return at + 2;
}
