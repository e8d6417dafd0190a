/** The RPCs of MlsApi that write. Each is a plain function, so that any way of speaking to the node can call it. */

import type { Clock } from "../../base/clock";
import type { PublishMetrics } from "../../base/metrics";
import { GROUP, KIND_NAMES, type Kind, WELCOME } from "../../core/topic";
import type { Feed } from "../../feed/types";
import { parseGroupMessage } from "../../mls/group-message";
import { describeFault } from "../../mls/reader";
import type { NewMessage } from "../../store/types";
import { topicOfBytes } from "../../wire/bytes";
import { type Body, encodeGroupBody, encodeWelcomeBody } from "../../wire/entry";
import type {
  GroupMessageInput,
  SendGroupMessagesRequest,
  SendWelcomeMessagesRequest,
  WelcomeMessageInput,
  WelcomeMessageInput_V1,
  WelcomeMessageInput_WelcomePointer,
} from "../../wire/gen/mls/api/v1/mls_pb";
import { WelcomePointerWrapperAlgorithm } from "../../wire/gen/mls/message_contents/welcome_pointer_pb";
import { WelcomeWrapperAlgorithm } from "../../wire/gen/mls/message_contents/wrapper_encryption_pb";
import { empty } from "../../wire/unary";
import { codeName, invalidArgument, toConnectError } from "../errors";
import { checkIdentifier, checkPresent } from "./checks";

/** What publishing takes. */
export interface PublishDeps {
  readonly feed: Pick<Feed, "publish">;
  readonly clock: Pick<Clock, "now">;
  readonly metrics: PublishMetrics;
  /** Bytes that the payload of a message may have: the largest one that every frame has room for. */
  readonly maxMessageBytes: number;
}

/** Bytes of everything in a message that is not its payload: keys, hmac, metadata. Beside the largest payload they fit into a frame. */
const MAX_BESIDE_BYTES = 65_536;

type Empty = ReturnType<typeof empty>;

/**
 * Stores group messages, all or none. Group id and content type are read out of each message.
 * @throws ConnectError that names the first message which is wrong, and what is wrong with it; StoreError
 */
export async function sendGroupMessages(deps: PublishDeps, request: SendGroupMessagesRequest): Promise<Empty> {
  return publish(deps, GROUP, () => {
    return request.messages.map((input, index) => newGroupMessage(deps, `messages[${index}]`, input));
  });
}

/** Stores welcomes, all or none. @throws ConnectError that names the first one which is wrong; StoreError */
export async function sendWelcomeMessages(deps: PublishDeps, request: SendWelcomeMessagesRequest): Promise<Empty> {
  return publish(deps, WELCOME, () => {
    return request.messages.map((input, index) => newWelcome(deps, `messages[${index}]`, input));
  });
}

/** Resolves when the messages are durable and in this node's tail. */
async function publish(deps: PublishDeps, kind: Kind, read: () => readonly NewMessage[]): Promise<Empty> {
  const { metrics, clock } = deps;
  const begun = clock.now();
  try {
    const messages = read();
    if (messages.length === 0) throw invalidArgument("messages: wanted at least 1, found none");
    await deps.feed.publish(messages);
    metrics.messages.add(KIND_NAMES[kind], messages.length);
    metrics.seconds.observe((clock.now() - begun) / 1_000);
    return empty();
  } catch (error) {
    metrics.refused.add(codeName(toConnectError(error).code));
    throw error;
  }
}

function newGroupMessage(deps: PublishDeps, at: string, input: GroupMessageInput): NewMessage {
  if (input.version.case !== "v1") throw invalidArgument(`${at}: wanted v1, found no known version`);
  const { data, senderHmac, shouldPush } = input.version.value;
  const parsed = parseGroupMessage(data);
  if (parsed.kind === "invalid") {
    throw invalidArgument(`${at}.v1.data: not an MLS PrivateMessage: ${describeFault(parsed.fault)}`);
  }
  const { groupId, isCommit } = parsed.header;
  checkIdentifier(`${at}.v1.data: group_id`, groupId);
  const body = encodeGroupBody({ groupId, data, senderHmac, shouldPush, isCommit });
  checkSize(deps, `${at}.v1.data`, data, body);
  return { kind: GROUP, topic: topicOfBytes(GROUP, groupId), digest: digestOf(data), ...body };
}

function newWelcome(deps: PublishDeps, at: string, input: WelcomeMessageInput): NewMessage {
  const { version } = input;
  if (version.case === undefined) {
    throw invalidArgument(`${at}: wanted v1 or welcome_pointer, found no known version`);
  }
  const { field, payload } =
    version.case === "v1" ? checkedWelcome(at, version.value) : checkedPointer(at, version.value);
  const body = encodeWelcomeBody(version);
  checkSize(deps, field, payload, body);
  const topic = topicOfBytes(WELCOME, version.value.installationKey);
  return { kind: WELCOME, topic, digest: digestOf(payload), ...body };
}

/** The part of a message that tells it from others of its topic, and where it stands in the request. */
interface Payload {
  readonly field: string;
  readonly payload: Uint8Array;
}

function checkedWelcome(at: string, welcome: WelcomeMessageInput_V1): Payload {
  checkIdentifier(`${at}.v1.installation_key`, welcome.installationKey);
  checkPresent(`${at}.v1.data`, welcome.data);
  if (welcome.wrapperAlgorithm !== WelcomeWrapperAlgorithm.SYMMETRIC_KEY) {
    checkPresent(`${at}.v1.hpke_public_key (the algorithm is not SYMMETRIC_KEY)`, welcome.hpkePublicKey);
  }
  return { field: `${at}.v1.data`, payload: welcome.data };
}

function checkedPointer(at: string, pointer: WelcomeMessageInput_WelcomePointer): Payload {
  const field = `${at}.welcome_pointer`;
  checkIdentifier(`${field}.installation_key`, pointer.installationKey);
  checkPresent(`${field}.welcome_pointer`, pointer.welcomePointer);
  checkPresent(`${field}.hpke_public_key`, pointer.hpkePublicKey);
  const wanted = WelcomePointerWrapperAlgorithm.XWING_MLKEM_768_DRAFT_6;
  if (pointer.wrapperAlgorithm !== wanted) {
    const found = pointer.wrapperAlgorithm;
    throw invalidArgument(`${field}.wrapper_algorithm: wanted ${wanted} (XWING_MLKEM_768_DRAFT_6), found ${found}`);
  }
  return { field: `${field}.welcome_pointer`, payload: pointer.welcomePointer };
}

/** What cannot be delivered is refused here, because it would have to be skipped there. */
function checkSize(deps: PublishDeps, field: string, payload: Uint8Array, { body }: Body): void {
  if (payload.length > deps.maxMessageBytes) {
    throw invalidArgument(`${field}: wanted at most ${deps.maxMessageBytes} bytes, found ${payload.length}`);
  }
  const beside = body.length - payload.length;
  if (beside > MAX_BESIDE_BYTES) {
    throw invalidArgument(
      `${field}: wanted at most ${MAX_BESIDE_BYTES} bytes in all fields beside it, found ${beside}`,
    );
  }
}

function digestOf(payload: Uint8Array): Uint8Array {
  const digest = new Uint8Array(32);
  Bun.SHA256.hash(payload, digest);
  return digest;
}
