/** What the rest of the node knows of the stored identities, key packages and commit logs. */

import type { Direction } from "./types";

/** Something that may belong to an inbox and by which others find it. */
export interface Identifier {
  /** A number of the protocol's IdentifierKind: 1 Ethereum, 2 passkey. */
  readonly kind: number;
  /** In lower case: an address with 0x, or the hex of a passkey. Compared letter by letter. */
  readonly text: string;
}

/** What the log of an inbox amounts to. */
export interface Inbox {
  /** The id of the newest update in it: an update that was judged by this state is stored only if nothing came since. */
  readonly version: bigint;
  /** As it was given with that update. */
  readonly state: Uint8Array;
}

/** An update that was found valid, and what it makes of its inbox. */
export interface NewIdentityUpdate {
  /** 64 hexadecimal digits in lower case. */
  readonly inboxId: string;
  /** The version of the inbox that it was judged by; 0: there was none. */
  readonly judgedBy: bigint;
  /** The encoded IdentityUpdate. */
  readonly body: Uint8Array;
  /** What the inbox amounts to with this update, encoded. */
  readonly state: Uint8Array;
  /** Identifiers that belong to the inbox from now on, each once. */
  readonly added: readonly Identifier[];
  /** Identifiers that do no more. */
  readonly removed: readonly Identifier[];
}

export interface StoredIdentityUpdate {
  readonly id: bigint;
  /** When it was stored, nanoseconds since 1970 by the node's wall clock. */
  readonly createdNs: bigint;
  /** The encoded IdentityUpdate. */
  readonly body: Uint8Array;
}

/** The updates of an inbox that are asked for: those above an id. */
export interface UpdatesAsked {
  readonly inboxId: string;
  readonly above: bigint;
}

/**
 * The log of all identity updates: one sequence, whose ids ascend in commit order. Every answer reflects all commits
 * that were acked before the question. All of it throws StoreError.
 */
export interface IdentityLog {
  /** `undefined` if there is no such inbox. */
  inbox(inboxId: string): Promise<Inbox | undefined>;
  /**
   * Stores an update and resolves with its id after the commit; with `undefined`, and without having stored anything,
   * if the inbox is not any more what the update was judged by.
   */
  append(update: NewIdentityUpdate): Promise<bigint | undefined>;
  /**
   * For each inbox its updates above the asked id, ascending; same order and length, empty where there is nothing.
   * Where their bodies have more than `maxBytes` together, what comes after the one that goes beyond is left out.
   */
  updates(asked: readonly UpdatesAsked[], maxBytes: number): Promise<readonly (readonly StoredIdentityUpdate[])[]>;
  /** For each identifier the inbox that it joined last of those it still belongs to; same order and length. */
  inboxIds(identifiers: readonly Identifier[]): Promise<readonly (string | undefined)[]>;
}

/** The newest key package of each installation. */
export interface KeyPackages {
  /** Resolves after the commit. @throws StoreError */
  put(installationKey: Uint8Array, keyPackage: Uint8Array): Promise<void>;
  /** Same order and length. @throws StoreError */
  newest(installationKeys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
}

export interface NewCommitLogEntry {
  readonly groupId: Uint8Array;
  /** The encoded CommitLogEntry without its sequence_id. */
  readonly body: Uint8Array;
}

export interface StoredCommitLogEntry {
  readonly id: bigint;
  readonly body: Uint8Array;
}

/** The commit logs of all groups: one sequence, whose ids ascend in commit order. */
export interface CommitLogs {
  /** Stores all or none, in the order given; resolves after the commit. @throws StoreError */
  append(entries: readonly NewCommitLogEntry[]): Promise<void>;
  /** Entries of a group beyond an exclusive cursor; `undefined` = from the end the direction starts at. @throws StoreError */
  ofGroup(
    groupId: Uint8Array,
    direction: Direction,
    cursor: bigint | undefined,
    limit: number,
  ): Promise<readonly StoredCommitLogEntry[]>;
}
