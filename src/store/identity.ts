/** Identities, key packages and commit logs on Postgres. */

import type { Clock } from "../base/clock";
import { MAX_CURSOR } from "../core/limits";
import { bytesArray, chunks, clampId, idArray, textArray } from "./arrays";
import type { IdentityReads, IdentityWrites } from "./identity-statements";
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
} from "./identity-types";
import { type RetryHost, retrying } from "./retry";
import type { SqlPool } from "./sql-pool";
import type { Direction } from "./types";

export interface IdentityHost {
  readonly reads: Pick<SqlPool<IdentityReads>, "run">;
  readonly writes: Pick<SqlPool<IdentityWrites>, "run">;
  readonly retry: RetryHost;
  readonly clock: Clock;
}

/** Elements of a list per statement: one question does not hold a connection for long. */
const PER_STATEMENT = 1_000;

/** {@link IdentityLog} on Postgres. */
export class SqlIdentityLog implements IdentityLog {
  readonly #host: IdentityHost;

  constructor(host: IdentityHost) {
    this.#host = host;
  }

  inbox(inboxId: string): Promise<Inbox | undefined> {
    return ask(this.#host, (read) => read.inbox({ inboxId }));
  }

  async append(update: NewIdentityUpdate): Promise<bigint | undefined> {
    const { inboxId, judgedBy, body, state, added, removed } = update;
    // Made once: a repetition must say the very same, down to the time.
    const parameters = {
      ...{ inboxId, judgedBy, body, state, stampNs: this.#host.clock.wallNs() },
      ...{ addedKinds: kindsOf(added), added: textsOf(added) },
      ...{ removedKinds: kindsOf(removed), removed: textsOf(removed) },
    };
    return await tell(this.#host, "an identity update", (write) => write.update(parameters));
  }

  async updates(
    asked: readonly UpdatesAsked[],
    maxBytes: number,
  ): Promise<readonly (readonly StoredIdentityUpdate[])[]> {
    const found = asked.map((): StoredIdentityUpdate[] => []);
    let [before, bytes] = [0, 0];
    for (const some of chunks(asked, PER_STATEMENT)) {
      const inboxIds = textArray(some.map(({ inboxId }) => inboxId));
      const above = idArray(some.map(({ above }) => clampId(above)));
      const parameters = { inboxIds, above, maxBytes: BigInt(maxBytes - bytes) };
      for (const { nth, update } of await ask(this.#host, (read) => read.updates(parameters))) {
        found[before + Number(nth) - 1]?.push(update);
        bytes += update.body.byteLength;
      }
      if (bytes > maxBytes) break;
      before += some.length;
    }
    return found;
  }

  async inboxIds(asked: readonly Identifier[]): Promise<readonly (string | undefined)[]> {
    return await positional(asked, async (some) => {
      const parameters = { kinds: kindsOf(some), identifiers: textsOf(some) };
      return await ask(this.#host, (read) => read.inboxIds(parameters));
    });
  }
}

/** {@link KeyPackages} on Postgres. */
export class SqlKeyPackages implements KeyPackages {
  readonly #host: IdentityHost;

  constructor(host: IdentityHost) {
    this.#host = host;
  }

  async put(installationKey: Uint8Array, keyPackage: Uint8Array): Promise<void> {
    const parameters = { key: installationKey, stampNs: this.#host.clock.wallNs(), body: keyPackage };
    await tell(this.#host, "a key package", (write) => write.putKeyPackage(parameters));
  }

  async newest(installationKeys: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]> {
    return await positional(installationKeys, async (some) => {
      const keys = bytesArray(some);
      return await ask(this.#host, (read) => read.keyPackages({ keys }));
    });
  }
}

/** {@link CommitLogs} on Postgres. */
export class SqlCommitLogs implements CommitLogs {
  readonly #host: IdentityHost;

  constructor(host: IdentityHost) {
    this.#host = host;
  }

  async append(entries: readonly NewCommitLogEntry[]): Promise<void> {
    if (entries.length === 0) return;
    const parameters = {
      stampNs: this.#host.clock.wallNs(),
      groups: bytesArray(entries.map(({ groupId }) => groupId)),
      bodies: bytesArray(entries.map(({ body }) => body)),
    };
    await tell(this.#host, "commit log entries", (write) => write.appendCommitLog(parameters));
  }

  async ofGroup(
    groupId: Uint8Array,
    direction: Direction,
    cursor: bigint | undefined,
    limit: number,
  ): Promise<readonly StoredCommitLogEntry[]> {
    return await ask(this.#host, (read) => {
      if (direction === "ascending") return read.commitLogUp({ groupId, above: clampId(cursor ?? 0n), limit });
      const to = cursor === undefined ? MAX_CURSOR : clampId(cursor - 1n);
      return read.commitLogDown({ groupId, to, limit });
    });
  }
}

/** What was found for each element of a list, in its place; `undefined` where nothing was. */
async function positional<Asked, Found>(
  list: readonly Asked[],
  find: (some: readonly Asked[]) => Promise<readonly (readonly [nth: bigint, found: Found])[]>,
): Promise<readonly (Found | undefined)[]> {
  const answers = new Array<Found | undefined>(list.length).fill(undefined);
  let before = 0;
  for (const some of chunks(list, PER_STATEMENT)) {
    for (const [nth, found] of await find(some)) answers[before + Number(nth) - 1] = found;
    before += some.length;
  }
  return answers;
}

function ask<T>({ reads, retry }: IdentityHost, question: (read: IdentityReads) => Promise<T>): Promise<T> {
  return retrying(retry, "the store could not be read", () => reads.run(question));
}

/** @param what is stored, as in "a key package". */
function tell<T>(
  { writes, retry }: IdentityHost,
  what: string,
  statement: (write: IdentityWrites) => Promise<T>,
): Promise<T> {
  return retrying(retry, `${what} could not be stored`, () => writes.run(statement));
}

function kindsOf(identifiers: readonly Identifier[]): string {
  return idArray(identifiers.map(({ kind }) => kind));
}

function textsOf(identifiers: readonly Identifier[]): string {
  return textArray(identifiers.map(({ text }) => text));
}
