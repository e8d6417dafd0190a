/**
 * The RPCs of the model beside messages. It can verify no signature, so nothing that needs one ever gets in: no inbox,
 * no key package.
 */

import type {
  GetIdentityUpdatesRequest,
  GetIdentityUpdatesResponseSchema,
  GetInboxIdsRequest,
  GetInboxIdsResponseSchema,
  PublishIdentityUpdateRequest,
  VerifySmartContractWalletSignaturesRequest,
  VerifySmartContractWalletSignaturesResponseSchema,
} from "../../../src/wire/gen/identity/api/v1/identity_pb";
import type {
  BatchPublishCommitLogRequest,
  BatchQueryCommitLogRequest,
  BatchQueryCommitLogResponseSchema,
  FetchKeyPackagesRequest,
  FetchKeyPackagesResponseSchema,
  UploadKeyPackageRequest,
} from "../../../src/wire/gen/mls/api/v1/mls_pb";
import type { CommitLogEntrySchema } from "../../../src/wire/gen/mls/message_contents/commit_log_pb";
import type { InitOf } from "../../../src/wire/init";
import type { Broken } from "./faults";
import { pageOf } from "./querying";
import { invalid } from "./status";

const MAX_PUBLISHED = 10;
const MAX_QUERIED = 20;

/** The response of RPCs that have nothing to say. */
const NOTHING = {};
type Nothing = typeof NOTHING;

interface LoggedEntry {
  readonly id: bigint;
  readonly entry: InitOf<typeof CommitLogEntrySchema>;
}

/** What the model knows beside messages. */
export class IdentityBook {
  readonly #broken: Broken;
  readonly #logs = new Map<string, LoggedEntry[]>();
  readonly #inboxes = new Set<string>();
  #last = 0n;

  constructor(broken: Broken) {
    this.#broken = broken;
  }

  /** @throws CallError */
  uploadKeyPackage({ keyPackage }: UploadKeyPackageRequest): Nothing {
    const bytes = keyPackage?.keyPackageTlsSerialized.length ?? 0;
    if (this.#broken("any-key-package-accepted") && bytes > 0) return NOTHING;
    return invalid("no key package that this model could verify");
  }

  fetchKeyPackages({ installationKeys }: FetchKeyPackagesRequest): InitOf<typeof FetchKeyPackagesResponseSchema> {
    return { keyPackages: this.#broken("unknown-left-out") ? [] : installationKeys.map(() => ({})) };
  }

  /** @throws CallError */
  batchPublishCommitLog({ requests }: BatchPublishCommitLogRequest): Nothing {
    if (requests.length > MAX_PUBLISHED && !this.#broken("commit-logs-unlimited")) invalid("too many entries");
    for (const { groupId, serializedCommitLogEntry, signature } of requests) {
      const id = ++this.#last;
      const entry = { sequenceId: id, serializedCommitLogEntry, ...(signature !== undefined && { signature }) };
      this.#logs.set(`${groupId}`, [...this.#logOf(groupId), { id, entry }]);
    }
    return NOTHING;
  }

  /** @throws CallError */
  batchQueryCommitLog({ requests }: BatchQueryCommitLogRequest): InitOf<typeof BatchQueryCommitLogResponseSchema> {
    if (requests.length > MAX_QUERIED && !this.#broken("commit-logs-unlimited")) invalid("too many groups");
    const responses = requests.map(({ groupId, pagingInfo: asked }) => {
      const { rows, pagingInfo } = pageOf(this.#logOf(groupId), this.#broken, asked);
      return { groupId, commitLogEntries: rows.map(({ entry }) => entry), pagingInfo };
    });
    return { responses: responses.filter((one) => !this.#leavesOut(one.commitLogEntries.length > 0)) };
  }

  /** @throws CallError */
  publishIdentityUpdate({ identityUpdate }: PublishIdentityUpdateRequest): Nothing {
    const actions = identityUpdate?.actions.length ?? 0;
    if (identityUpdate === undefined || actions === 0 || !this.#broken("forged-inboxes-accepted")) {
      invalid("no update that this model could verify");
    }
    this.#inboxes.add(identityUpdate.inboxId);
    return NOTHING;
  }

  getIdentityUpdates({ requests }: GetIdentityUpdatesRequest): InitOf<typeof GetIdentityUpdatesResponseSchema> {
    const responses = requests.map(({ inboxId }) => {
      return { inboxId, updates: this.#inboxes.has(inboxId) ? [{ sequenceId: 1n }] : [] };
    });
    return { responses: responses.filter(({ updates }) => !this.#leavesOut(updates.length > 0)) };
  }

  getInboxIds({ requests }: GetInboxIdsRequest): InitOf<typeof GetInboxIdsResponseSchema> {
    const responses = requests.map(({ identifier, identifierKind }) => ({ identifier, identifierKind }));
    return { responses: responses.filter(() => !this.#leavesOut(false)) };
  }

  verifyWalletSignatures({
    signatures,
  }: VerifySmartContractWalletSignaturesRequest): InitOf<typeof VerifySmartContractWalletSignaturesResponseSchema> {
    const responses = signatures.map(({ blockNumber = 0n }) => {
      const error = "no chain is known here";
      return this.#broken("verdicts-without-a-block") ? { error } : { blockNumber, error };
    });
    return { responses };
  }

  #logOf(groupId: Uint8Array): readonly LoggedEntry[] {
    if (groupId.length === 0) invalid("a group id has at least one byte");
    return this.#logs.get(`${groupId}`) ?? [];
  }

  #leavesOut(isKnown: boolean): boolean {
    return !isKnown && this.#broken("unknown-left-out");
  }
}
