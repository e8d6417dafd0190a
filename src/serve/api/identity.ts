/** The RPCs of IdentityApi. Each is a plain function, so that any way of speaking to the node can call it. */

import { Code, ConnectError } from "@connectrpc/connect";
import type { CountBy } from "../../base/metrics-maker";
import { applyUpdate } from "../../mls/association/fold";
import { decodeState, encodeState } from "../../mls/association/state-codec";
import type {
  AssociationState,
  ChainReader,
  IdentityRule,
  IdentityUpdate,
  Refusal,
  VerifiedUpdate,
} from "../../mls/association/types";
import { verifySignatures } from "../../mls/association/verify";
import type { Identifier, IdentityLog, Inbox } from "../../store/identity-types";
import type {
  GetIdentityUpdatesRequest,
  GetIdentityUpdatesResponse,
  GetInboxIdsRequest,
  GetInboxIdsRequest_Request,
  GetInboxIdsResponse,
  PublishIdentityUpdateRequest,
  PublishIdentityUpdateResponse,
} from "../../wire/gen/identity/api/v1/identity_pb";
import { IdentifierKind } from "../../wire/gen/identity/associations/association_pb";
import {
  decodeIdentityUpdate,
  encodeIdentityUpdate,
  identityUpdatesResponse,
  inboxIdsResponse,
  publishIdentityUpdateResponse,
} from "../../wire/identity";
import { invalidArgument, unavailable } from "../errors";
import { checkAnswer, checkCount, MAX_ANSWER_BYTES } from "./checks";
import { changedIdentifiers } from "./identity-changes";
import { readIdentityUpdate } from "./identity-update";
import type { WorkTurns } from "./work-turns";

/** What identities take. */
export interface IdentityDeps {
  readonly log: IdentityLog;
  readonly chains: ChainReader;
  /** By what came of each update. */
  readonly outcomes: CountBy;
  /** Of the process: signatures are verified one after the other. */
  readonly turns: WorkTurns;
}

/** Bytes of an encoded update: so the whole log of an inbox fits into one response. */
export const MAX_UPDATE_BYTES = 65_536;
/** Inboxes that one GetIdentityUpdates may name. SDKs ask for up to 50. */
export const MAX_UPDATE_INBOXES = 1_000;
/** Identifiers that one GetInboxIds may name. */
export const MAX_IDENTIFIERS = 10_000;

const INBOX_ID = /^[0-9a-f]{64}$/;

/**
 * Stores an update of an inbox if it holds: its signatures, and what it does to the inbox (docs/decisions/0018).
 *
 * It is judged by the inbox as it was read, and stored only if the inbox is still that; otherwise another update came
 * first, and it is judged again. So it ends: each turn of the loop means that the log became longer, and a log has
 * room for a bounded number of updates.
 * @throws ConnectError that names the rule and the action; StoreError
 */
export async function publishIdentityUpdate(
  deps: IdentityDeps,
  request: PublishIdentityUpdateRequest,
): Promise<PublishIdentityUpdateResponse> {
  const { log } = deps;
  const message = request.identityUpdate;
  if (message === undefined) throw invalidArgument("identity_update: wanted one, found none");
  const body = encodeIdentityUpdate(message);
  if (body.length > MAX_UPDATE_BYTES) {
    throw invalidArgument(`identity_update: wanted at most ${MAX_UPDATE_BYTES} bytes, found ${body.length}`);
  }
  const { inboxId } = message;
  if (!INBOX_ID.test(inboxId)) {
    throw invalidArgument(
      `identity_update.inbox_id: wanted 64 hex digits in lower case, found ${inboxId.length} characters`,
    );
  }
  const update = await verified(deps, readIdentityUpdate(message));
  for (;;) {
    const inbox = await log.inbox(inboxId);
    const before = inbox && (await stateOf(deps, inboxId, inbox));
    const state = applied(deps, before, update);
    const judgedBy = inbox?.version ?? 0n;
    const changes = { ...changedIdentifiers(before, state), state: encodeState(state) };
    const id = await log.append({ inboxId, judgedBy, body, ...changes });
    if (id === undefined) continue;
    deps.outcomes.add("stored");
    return publishIdentityUpdateResponse();
  }
}

/** What the inbox is; from its log, if another version of this program wrote down what that amounts to. */
async function stateOf(deps: IdentityDeps, inboxId: string, inbox: Inbox): Promise<AssociationState | undefined> {
  const decoded = decodeState(inbox.state);
  if (decoded.kind === "state") return decoded.state;
  let state: AssociationState | undefined;
  const [logged = []] = await deps.log.updates([{ inboxId, above: 0n }], MAX_ANSWER_BYTES);
  for (const { body } of logged) {
    state = applied(deps, state, await verified(deps, readIdentityUpdate(decodeIdentityUpdate(body))));
  }
  return state;
}

/** The update with signatures that were found good, and from whom. @throws ConnectError if one is not. */
async function verified(deps: IdentityDeps, update: IdentityUpdate): Promise<VerifiedUpdate> {
  const { chains, turns } = deps;
  const verification = await verifySignatures(update, { chains, turn: () => turns.next() });
  switch (verification.kind) {
    case "verified":
      return verification.update;
    case "refused":
      throw refusal(deps, verification);
    case "unavailable":
      throw unavailable(verification.message);
    default:
      return verification satisfies never;
  }
}

/** The inbox with the update. @throws ConnectError if it is against a rule. */
function applied(deps: IdentityDeps, before: AssociationState | undefined, update: VerifiedUpdate): AssociationState {
  const outcome = applyUpdate(before, update);
  if (outcome.kind === "refused") throw refusal(deps, outcome);
  return outcome.state;
}

/** Rules that another update, or the same one at another node, would not break. All others: INVALID_ARGUMENT. */
const REFUSAL_CODES: Partial<Record<IdentityRule, Code>> = {
  chainNotConfigured: Code.FailedPrecondition,
  tooManyInstallations: Code.ResourceExhausted,
  tooManyUpdates: Code.ResourceExhausted,
};

function refusal({ outcomes }: IdentityDeps, { rule, message }: Refusal): ConnectError {
  outcomes.add(rule);
  return new ConnectError(message, REFUSAL_CODES[rule] ?? Code.InvalidArgument);
}

/** The updates of inboxes above an id, of each inbox that is asked for; none of what is no inbox. @throws ConnectError, StoreError */
export async function getIdentityUpdates(
  { log }: IdentityDeps,
  { requests }: GetIdentityUpdatesRequest,
): Promise<GetIdentityUpdatesResponse> {
  checkCount("requests", "inboxes", requests.length, MAX_UPDATE_INBOXES);
  // Ids come from what others say of themselves: one that cannot be an id must not cost the answer for the rest.
  const asked = requests.map(({ inboxId, sequenceId }) => ({ inboxId, above: sequenceId }));
  const known = asked.map((one) => (INBOX_ID.test(one.inboxId) ? one : { ...one, inboxId: "" }));
  const found = await log.updates(known, MAX_ANSWER_BYTES);
  checkAnswer("requests: wanted updates", `these ${requests.length} inboxes; name fewer`, found.flat());
  return identityUpdatesResponse(
    requests.map(({ inboxId }) => inboxId),
    found,
  );
}

/** The inbox of each identifier, unset where nobody knows it. @throws ConnectError, StoreError */
export async function getInboxIds(
  { log }: IdentityDeps,
  { requests }: GetInboxIdsRequest,
): Promise<GetInboxIdsResponse> {
  checkCount("requests", "identifiers", requests.length, MAX_IDENTIFIERS);
  const found = await log.inboxIds(requests.map((request, nth) => identifierAsked(`requests[${nth}]`, request)));
  return inboxIdsResponse(requests, found);
}

/** Letters are the same in upper and in lower case; what has others than identifiers have is unknown to everybody. */
function identifierAsked(at: string, { identifier, identifierKind: kind }: GetInboxIdsRequest_Request): Identifier {
  const text = /^[0-9a-z]+$/i.test(identifier) ? identifier.toLowerCase() : "";
  switch (kind) {
    case IdentifierKind.UNSPECIFIED: // what older clients send
    case IdentifierKind.ETHEREUM:
      return { kind: IdentifierKind.ETHEREUM, text };
    case IdentifierKind.PASSKEY:
      return { kind, text };
    default:
      kind satisfies never;
      throw invalidArgument(`${at}.identifier_kind: wanted 1 (Ethereum) or 2 (passkey), found ${kind}`);
  }
}
