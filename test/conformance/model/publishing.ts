/** The RPCs of the model that write. */

import type {
  GroupMessageInput,
  SendGroupMessagesRequest,
  SendWelcomeMessagesRequest,
  WelcomeMessageInput,
} from "../../../src/wire/gen/mls/api/v1/mls_pb";
import { WelcomePointerWrapperAlgorithm } from "../../../src/wire/gen/mls/message_contents/welcome_pointer_pb";
import { WelcomeWrapperAlgorithm } from "../../../src/wire/gen/mls/message_contents/wrapper_encryption_pb";
import type { Broken } from "./faults";
import type { MessageLog, Unstored } from "./log";
import { CallError, invalid } from "./status";

const MAX_IDENTIFIER_BYTES = 1_023;
const MAX_MESSAGE_BYTES = 3 * 1024 * 1024;

/** Stores group messages, all or none. @throws CallError */
export function sendGroupMessages(log: MessageLog, broken: Broken, { messages }: SendGroupMessagesRequest): void {
  storeAll(log, broken, messages, (input) => groupMessageOf(input, broken));
}

/** Stores welcomes, all or none. @throws CallError */
export function sendWelcomeMessages(log: MessageLog, broken: Broken, { messages }: SendWelcomeMessagesRequest): void {
  storeAll(log, broken, messages, welcomeOf);
}

/** The topic of an identifier. @throws CallError if it can be none. */
export function topicFrom(kind: 0 | 1, identifier: Uint8Array): string {
  if (identifier.length === 0) invalid("an identifier has at least one byte");
  if (identifier.length > MAX_IDENTIFIER_BYTES) invalid(`an identifier has at most ${MAX_IDENTIFIER_BYTES} bytes`);
  return String.fromCharCode(kind) + Buffer.from(identifier).toString("latin1");
}

function storeAll<Input>(
  log: MessageLog,
  broken: Broken,
  inputs: readonly Input[],
  read: (input: Input) => Unstored,
): void {
  if (inputs.length === 0) invalid("messages: wanted at least 1, found none");
  const good: Unstored[] = [];
  try {
    for (const input of inputs) good.push(read(input));
  } catch (error) {
    if (broken("part-of-a-request-stored")) log.store(good);
    throw error;
  }
  log.store(good);
}

function groupMessageOf({ version }: GroupMessageInput, broken: Broken): Unstored {
  if (version.case !== "v1") invalid("a group message without a known version");
  const { data, senderHmac, shouldPush } = version.value;
  checkSize(data);
  const { groupId, contentType } = headerOf(data);
  const isCommit = contentType !== 1 && !broken("commits-unmarked");
  return {
    kind: 0,
    topic: topicFrom(0, groupId),
    data,
    deliveredAs: (id, createdNs) => {
      const value = { id, createdNs, groupId, data, senderHmac, shouldPush, isCommit };
      return { kind: 0, group: { version: { case: "v1", value } } };
    },
  };
}

function welcomeOf({ version }: WelcomeMessageInput): Unstored {
  if (version.case === undefined) invalid("a welcome without a known version");
  if (version.case === "v1") {
    const { installationKey, data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata } = version.value;
    const topic = topicFrom(1, installationKey);
    if (data.length === 0) invalid("data is needed");
    if (hpkePublicKey.length === 0 && wrapperAlgorithm !== WelcomeWrapperAlgorithm.SYMMETRIC_KEY)
      invalid("hpke_public_key is needed");
    checkSize(data);
    const fields = { installationKey, data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata };
    const deliveredAs: Unstored["deliveredAs"] = (id, createdNs) => {
      return { kind: 1, welcome: { version: { case: "v1", value: { id, createdNs, ...fields } } } };
    };
    return { kind: 1, topic, data, deliveredAs };
  }
  const { installationKey, welcomePointer, hpkePublicKey, wrapperAlgorithm } = version.value;
  const topic = topicFrom(1, installationKey);
  if (welcomePointer.length === 0) invalid("welcome_pointer is needed");
  if (hpkePublicKey.length === 0) invalid("hpke_public_key is needed");
  if (wrapperAlgorithm !== WelcomePointerWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6)
    invalid("wrapper_algorithm is XWING only");
  checkSize(welcomePointer);
  const fields = { installationKey, welcomePointer, hpkePublicKey, wrapperAlgorithm };
  const deliveredAs: Unstored["deliveredAs"] = (id, createdNs) => {
    return { kind: 1, welcome: { version: { case: "welcomePointer", value: { id, createdNs, ...fields } } } };
  };
  return { kind: 1, topic, data: welcomePointer, deliveredAs };
}

/** What cannot be delivered is refused here. */
function checkSize(data: Uint8Array): void {
  if (data.length > MAX_MESSAGE_BYTES) invalid(`a message has at most ${MAX_MESSAGE_BYTES} bytes, not ${data.length}`);
}

/** Reads an MLSMessage that holds a PrivateMessage (RFC 9420, section 6), to its last byte. */
function headerOf(data: Uint8Array): { readonly groupId: Uint8Array; readonly contentType: number } {
  let at = 0;
  const take = (bytes: number): Buffer => {
    if (at + bytes > data.length) throw new CallError(3, `an MLS message that is cut off at byte ${at}`);
    at += bytes;
    return Buffer.from(data.subarray(at - bytes, at));
  };
  const vector = (): Buffer => {
    const first = take(1).readUInt8();
    const size = 1 << (first >>> 6);
    if (size === 8) invalid("a length of eight bytes");
    const rest = size === 1 ? 0 : take(size - 1).readUIntBE(0, size - 1);
    const length = (first & 0x3f) * 2 ** (8 * (size - 1)) + rest;
    if (size > 1 && length < (size === 2 ? 1 << 6 : 1 << 14)) invalid("a length that is longer than it needs to be");
    return take(length);
  };
  if (take(4).readUInt32BE() !== 0x0001_0002) invalid("not a PrivateMessage of MLS 1.0");
  const groupId = vector();
  take(8);
  const contentType = take(1).readUInt8();
  if (contentType < 1 || contentType > 3) invalid(`content type ${contentType}`);
  for (let field = 0; field < 3; field++) vector();
  if (at !== data.length) invalid(`${data.length - at} bytes behind the message`);
  return { groupId, contentType };
}
