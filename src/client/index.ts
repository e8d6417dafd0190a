/** The client library: streams that outlive failures, bounded syncs, and the calls that are no streams. */

export type { ConnectionState, Want } from "../core/connection/events";
export type { StatusName } from "../core/connection/status";
export { type Lane, LIVE } from "../core/frame";
export { GROUP, isTopic, type Kind, kindOf, type Topic, topicBytes, topicOf, WELCOME } from "../core/topic";
export {
  type ApiOptions,
  type GroupMessageToSend,
  NodeApi,
  type WelcomeMessageToSend,
} from "./api";
export { NodeError } from "./errors";
export type { DeliveredMessage, GroupMessage, WelcomeContent, WelcomeMessage } from "./messages";
export type { Page, PageQuery } from "./paging";
export { type MessageStream, openStream, syncOnce } from "./stream";
export type { StreamEvent, StreamOptions } from "./stream-events";
export { grpcTransport, type SubscribeTransport, type Trust } from "./transport";
