/** The store of identities, key packages and commit logs as its types promise it, in memory. */

import type { Clock } from "../../src/base/clock";
import { createMetrics } from "../../src/base/metrics";
import type { ChainReader } from "../../src/mls/association/types";
import type { ServiceDeps } from "../../src/serve/api/services";
import { WorkTurns } from "../../src/serve/api/work-turns";
import type {
  CommitLogs,
  Identifier,
  IdentityLog,
  Inbox,
  KeyPackages,
  NewCommitLogEntry,
  NewIdentityUpdate,
  StoredCommitLogEntry,
  StoredIdentityUpdate,
  UpdatesAsked,
} from "../../src/store/identity-types";
import type { Direction } from "../../src/store/types";

export class MemoryIdentityLog implements IdentityLog {
  readonly #clock: Clock;
  readonly #inboxes = new Map<string, Inbox>();
  readonly #log = new Map<string, StoredIdentityUpdate[]>();
  /** By identifier, the inboxes it belongs to and the update that let it in. */
  readonly #identifiers = new Map<string, Map<string, bigint>>();
  #last = 0n;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async inbox(inboxId: string): Promise<Inbox | undefined> {
    return this.#inboxes.get(inboxId);
  }

  async append(update: NewIdentityUpdate): Promise<bigint | undefined> {
    const { inboxId, judgedBy, body, state, added, removed } = update;
    const inbox = this.#inboxes.get(inboxId);
    if ((inbox?.version ?? 0n) !== judgedBy) return undefined;
    const id = ++this.#last;
    this.#inboxes.set(inboxId, { version: id, state });
    const log = this.#log.get(inboxId) ?? [];
    this.#log.set(inboxId, [...log, { id, createdNs: this.#clock.wallNs(), body }]);
    for (const identifier of removed) this.#inboxesOf(identifier).delete(inboxId);
    for (const identifier of added) this.#inboxesOf(identifier).set(inboxId, id);
    return id;
  }

  async updates(asked: readonly UpdatesAsked[]): Promise<readonly (readonly StoredIdentityUpdate[])[]> {
    return asked.map(({ inboxId, above }) => (this.#log.get(inboxId) ?? []).filter(({ id }) => id > above));
  }

  async inboxIds(identifiers: readonly Identifier[]): Promise<readonly (string | undefined)[]> {
    return identifiers.map((identifier) => {
      const joined = [...this.#inboxesOf(identifier)].sort(([, a], [, b]) => Number(b - a));
      return joined[0]?.[0];
    });
  }

  #inboxesOf({ kind, text }: Identifier): Map<string, bigint> {
    const name = `${kind} ${text}`;
    const inboxes = this.#identifiers.get(name) ?? new Map<string, bigint>();
    this.#identifiers.set(name, inboxes);
    return inboxes;
  }
}

export class MemoryKeyPackages implements KeyPackages {
  readonly #byKey = new Map<string, Uint8Array>();

  async put(installationKey: Uint8Array, keyPackage: Uint8Array): Promise<void> {
    this.#byKey.set(`${installationKey}`, keyPackage);
  }

  async newest(installationKeys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return installationKeys.map((key) => this.#byKey.get(`${key}`));
  }
}

class MemoryCommitLogs implements CommitLogs {
  readonly #entries: (NewCommitLogEntry & StoredCommitLogEntry)[] = [];

  async append(entries: readonly NewCommitLogEntry[]): Promise<void> {
    for (const entry of entries) this.#entries.push({ ...entry, id: BigInt(this.#entries.length + 1) });
  }

  async ofGroup(groupId: Uint8Array, direction: Direction, cursor: bigint | undefined, limit: number) {
    const ofGroup = this.#entries.filter((entry) => `${entry.groupId}` === `${groupId}`);
    const ordered = direction === "ascending" ? ofGroup : ofGroup.reverse();
    const isBeyond = (id: bigint) =>
      cursor === undefined || cursor === 0n || (direction === "ascending" ? id > cursor : id < cursor);
    return ordered.filter(({ id }) => isBeyond(id)).slice(0, limit);
  }
}

/** What a node is told of chains that was told of none. */
export const NO_CHAINS: ChainReader = {
  verifyContractSignature: async ({ chainId }) => ({ kind: "chainNotConfigured", message: `no chain ${chainId}` }),
};

/** What the services of identities, key packages and commit logs take, all of it in memory. */
export function memoryIdentityDeps(clock: Clock): Pick<ServiceDeps, "identity" | "keyPackages" | "commitLogs"> {
  const { identityUpdates, keyPackages } = createMetrics().validation;
  const turns = new WorkTurns(clock);
  return {
    identity: { log: new MemoryIdentityLog(clock), chains: NO_CHAINS, outcomes: identityUpdates, turns },
    keyPackages: { packages: new MemoryKeyPackages(), outcomes: keyPackages, clock },
    commitLogs: { logs: new MemoryCommitLogs() },
  };
}
