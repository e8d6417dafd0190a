import type { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { Clock } from "../../../src/base/clock";
import { decodeMessage, type MessageOf, type Schema, type UnaryMethod } from "../../../src/wire/codec";
import { IdentityApi } from "../../../src/wire/gen/identity/api/v1/identity_pb";
import { MlsApi } from "../../../src/wire/gen/mls/api/v1/mls_pb";
import { encodeInit, type InitOf } from "../../../src/wire/init";
import type { Broken } from "./faults";
import type { IdentityBook } from "./identities";
import type { MessageLog } from "./log";
import { sendGroupMessages, sendWelcomeMessages } from "./publishing";
import { getNewestGroupMessage, queryGroupMessages, queryWelcomeMessages } from "./querying";
import { CallError, invalid, STATUS, type Status } from "./status";
import type { ModelCall } from "./wire";

/** What the unary RPCs work with. */
export interface UnaryParts {
  readonly book: IdentityBook;
  readonly log: MessageLog;
  readonly broken: Broken;
  readonly clock: Clock;
}

/** How late "acked-before-stored" stores, in milliseconds. */
const LATE_MS = 50;

/** Answers a unary call; `false`: there is no such method. */
export function serveUnary(call: ModelCall, name: string, parts: UnaryParts): boolean {
  const { log, broken } = parts;
  const { method } = MlsApi;
  switch (name) {
    case "SendGroupMessages":
      publish(call, method.sendGroupMessages, parts, (request) => sendGroupMessages(log, broken, request));
      return true;
    case "SendWelcomeMessages":
      publish(call, method.sendWelcomeMessages, parts, (request) => sendWelcomeMessages(log, broken, request));
      return true;
    case "QueryGroupMessages":
      answer(call, method.queryGroupMessages, (request) => queryGroupMessages(log, broken, request));
      return true;
    case "QueryWelcomeMessages":
      answer(call, method.queryWelcomeMessages, (request) => queryWelcomeMessages(log, broken, request));
      return true;
    case "GetNewestGroupMessage":
      answer(call, method.getNewestGroupMessage, (request) => getNewestGroupMessage(log, broken, request));
      return true;
    default:
      return serveInstallations(call, name, parts);
  }
}

function serveInstallations(call: ModelCall, name: string, { book }: UnaryParts): boolean {
  const { method } = MlsApi;
  switch (name) {
    case "UploadKeyPackage":
      answer(call, method.uploadKeyPackage, (request) => book.uploadKeyPackage(request));
      return true;
    case "FetchKeyPackages":
      answer(call, method.fetchKeyPackages, (request) => book.fetchKeyPackages(request));
      return true;
    case "BatchPublishCommitLog":
      answer(call, method.batchPublishCommitLog, (request) => book.batchPublishCommitLog(request));
      return true;
    case "BatchQueryCommitLog":
      answer(call, method.batchQueryCommitLog, (request) => book.batchQueryCommitLog(request));
      return true;
    default:
      return false;
  }
}

/** Answers a call of IdentityApi; `false`: there is no such method. */
export function serveIdentity(call: ModelCall, name: string, { book }: UnaryParts): boolean {
  const { method } = IdentityApi;
  switch (name) {
    case "PublishIdentityUpdate":
      answer(call, method.publishIdentityUpdate, (request) => book.publishIdentityUpdate(request));
      return true;
    case "GetIdentityUpdates":
      answer(call, method.getIdentityUpdates, (request) => book.getIdentityUpdates(request));
      return true;
    case "GetInboxIds":
      answer(call, method.getInboxIds, (request) => book.getInboxIds(request));
      return true;
    case "VerifySmartContractWalletSignatures":
      answer(call, method.verifySmartContractWalletSignatures, (request) => book.verifyWalletSignatures(request));
      return true;
    default:
      return false;
  }
}

/** Does what a request asks for, and fails the call if that throws. */
export function orFail(work: (bytes: Uint8Array) => void, bytes: Uint8Array, fail: (status: Status) => void): void {
  try {
    work(bytes);
  } catch (error) {
    if (error instanceof CallError) fail(error.status);
    else fail({ code: STATUS.invalidArgument, words: "not the request of this method" });
  }
}

function publish<I extends Schema>(
  call: ModelCall,
  method: UnaryMethod<I, typeof EmptySchema>,
  { broken, clock }: UnaryParts,
  store: (request: MessageOf<I>) => void,
): void {
  answer(call, method, (request) => {
    if (broken("acked-before-stored")) clock.after(LATE_MS, () => store(request));
    else store(request);
    return {};
  });
}

/** Answers the first request, once there are no more. */
function answer<I extends Schema, O extends Schema>(
  call: ModelCall,
  method: UnaryMethod<I, O>,
  respond: (request: MessageOf<I>) => InitOf<O>,
): void {
  let request: Uint8Array | undefined;
  const fail = (status: Status) => call.end(status);
  const work = (bytes: Uint8Array) => {
    const decoded = decodeMessage(method.input, bytes);
    if (decoded.kind === "unreadable") invalid(decoded.detail);
    const response = encodeInit(method.output, respond(decoded.message));
    call.send(response, () => call.end({ code: STATUS.ok, words: "" }));
  };
  call.read(
    (bytes) => {
      request ??= Buffer.from(bytes);
    },
    () => {
      if (request === undefined) fail({ code: STATUS.invalidArgument, words: "no request" });
      else orFail(work, request, fail);
    },
    fail,
  );
}
