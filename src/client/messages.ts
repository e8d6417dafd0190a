/** Messages as a consumer sees them: plain values, without the generated types. */

import { GROUP, type Topic, topicOf, WELCOME } from "../core/topic";
import type {
  GroupMessage as WireGroupMessage,
  WelcomeMessage as WireWelcomeMessage,
} from "../wire/gen/mls/api/v1/mls_pb";

export interface GroupMessage {
  readonly kind: typeof GROUP;
  readonly topic: Topic;
  /** Position among all group messages of the node. */
  readonly id: bigint;
  /** Nanoseconds since 1970, by the node's clock. */
  readonly createdNs: bigint;
  readonly groupId: Uint8Array;
  /** The MLS message. */
  readonly data: Uint8Array;
  readonly senderHmac: Uint8Array;
  readonly shouldPush: boolean;
  /** Whether it is a commit or a proposal. */
  readonly isCommit: boolean;
}

/** A welcome as it was published. */
export type WelcomeContent =
  | {
      readonly form: "welcome";
      readonly data: Uint8Array;
      readonly hpkePublicKey: Uint8Array;
      /** Number of a WelcomeWrapperAlgorithm. */
      readonly wrapperAlgorithm: number;
      readonly welcomeMetadata: Uint8Array;
    }
  | {
      readonly form: "pointer";
      readonly welcomePointer: Uint8Array;
      readonly hpkePublicKey: Uint8Array;
      /** Number of a WelcomePointerWrapperAlgorithm. */
      readonly wrapperAlgorithm: number;
    };

export interface WelcomeMessage {
  readonly kind: typeof WELCOME;
  readonly topic: Topic;
  /** Position among all welcomes of the node: a sequence of its own. */
  readonly id: bigint;
  /** Nanoseconds since 1970, by the node's clock. */
  readonly createdNs: bigint;
  readonly installationKey: Uint8Array;
  readonly content: WelcomeContent;
}

export type DeliveredMessage = GroupMessage | WelcomeMessage;

/** `undefined` for a message of a version that this client does not know, or without an identifier. */
export function fromWireGroupMessage({ version }: WireGroupMessage): GroupMessage | undefined {
  if (version.case !== "v1" || version.value.groupId.length === 0) return undefined;
  const { id, createdNs, groupId, data, senderHmac, shouldPush, isCommit } = version.value;
  const topic = topicOf(GROUP, groupId);
  return { kind: GROUP, topic, id, createdNs, groupId, data, senderHmac, shouldPush, isCommit };
}

/** `undefined` for a message of a version that this client does not know, or without an identifier. */
export function fromWireWelcomeMessage({ version }: WireWelcomeMessage): WelcomeMessage | undefined {
  if (version.case === undefined || version.value.installationKey.length === 0) return undefined;
  const { id, createdNs, installationKey } = version.value;
  const content = contentOf(version);
  return { kind: WELCOME, topic: topicOf(WELCOME, installationKey), id, createdNs, installationKey, content };
}

function contentOf(version: Exclude<WireWelcomeMessage["version"], { case: undefined }>): WelcomeContent {
  if (version.case === "v1") {
    const { data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata } = version.value;
    return { form: "welcome", data, hpkePublicKey, wrapperAlgorithm, welcomeMetadata };
  }
  const { welcomePointer, hpkePublicKey, wrapperAlgorithm } = version.value;
  return { form: "pointer", welcomePointer, hpkePublicKey, wrapperAlgorithm };
}

/** Bytes that a message holds, about. */
export function sizeOf(message: DeliveredMessage): number {
  if (message.kind === GROUP) return message.data.length + message.groupId.length;
  const { content } = message;
  return (content.form === "welcome" ? content.data : content.welcomePointer).length + content.hpkePublicKey.length;
}
