import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { inboxIdOf } from "../../src/mls/association/identifier";
import type { ChainReader, ContractQuestion } from "../../src/mls/association/types";
import { MAX_IDENTIFIERS, MAX_UPDATE_BYTES, MAX_UPDATE_INBOXES } from "../../src/serve/api/identity";
import { MAX_WALLET_SIGNATURES } from "../../src/serve/api/wallet-signatures";
import { IdentityApi } from "../../src/wire/gen/identity/api/v1/identity_pb";
import {
  IdentifierKind,
  type IdentityUpdate,
  IdentityUpdateSchema,
} from "../../src/wire/gen/identity/associations/association_pb";
import { RECORDED_UPDATES } from "../mls/recorded/node-sdk";
import { createDatabase, type TestDatabase } from "../support/database";
import { failure } from "../support/failure";
import { GrpcClient } from "../support/h2-grpc";
import { addition, registration, revocation, Wallet } from "../support/identity-updates";
import { connectSql } from "../support/sql-connection";
import { type IdentityClients, type IdentityNode, openIdentityNode, WAYS } from "./identity-node";

const ETHEREUM = IdentifierKind.ETHEREUM;

/** What the chains of these tests were asked. Wallets of chain 1 stand by any signature that begins with 1. */
const asked: ContractQuestion[] = [];
const chains: ChainReader = {
  verifyContractSignature: async (question) => {
    asked.push(question);
    if (question.chainId === 1n) return { kind: "answered", isValid: question.signature[0] === 1, blockNumber: 77n };
    if (question.chainId === 2n) return { kind: "unreachable", message: "chain 2 did not answer" };
    return { kind: "chainNotConfigured", message: "chain 3: set TIDELINE_CHAIN_RPC" };
  },
};

let database: TestDatabase;
let one: IdentityNode;
let two: IdentityNode;
beforeAll(async () => {
  database = await createDatabase();
  one = await openIdentityNode({ database, chains });
  two = await openIdentityNode({ database, chains });
});
afterAll(async () => {
  await one[Symbol.asyncDispose]();
  await two[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

async function publish({ identity }: IdentityClients, identityUpdate: IdentityUpdate): Promise<void> {
  await identity.publishIdentityUpdate({ identityUpdate });
}

async function inboxOf({ identity }: IdentityClients, wallet: Wallet): Promise<string | undefined> {
  const { responses } = await identity.getInboxIds({ requests: [{ identifier: wallet.address }] });
  return responses[0]?.inboxId;
}

async function logOf({ identity }: IdentityClients, inboxId: string, sequenceId = 0n) {
  const { responses } = await identity.getIdentityUpdates({ requests: [{ inboxId, sequenceId }] });
  return responses[0]?.updates ?? [];
}

describe.each(Object.keys(WAYS).map((name) => ({ name })))("identities by $name", ({ name }) => {
  const way = name === "gRPC" || name === "gRPC-Web" ? name : "Connect";
  let here: IdentityClients;
  let there: IdentityClients;
  beforeAll(() => {
    here = one.clients(way);
    there = two.clients(way);
  });

  test("a registration is read at once, at any node: the inbox, its log, the time at which it was stored", async () => {
    const wallet = new Wallet();
    const update = await registration(wallet);
    const before = BigInt(Date.now()) * 1_000_000n;
    await publish(here, update);
    expect(await inboxOf(there, wallet)).toBe(wallet.inboxId());
    const log = await logOf(there, wallet.inboxId());
    expect(log).toHaveLength(1);
    expect(log[0]?.update).toEqual(update);
    expect(log[0]?.serverTimestampNs).toBeGreaterThanOrEqual(before);
    expect(log[0]?.sequenceId).toBeGreaterThan(0n);
  });

  test("logs are answered one by one, in the order asked, above the asked id, also empty ones", async () => {
    const [a, b, added] = [new Wallet(), new Wallet(), new Wallet()];
    await publish(here, await registration(a));
    await publish(here, await registration(b));
    await publish(there, await addition(a.inboxId(), a, added));
    const [first, second] = await logOf(here, a.inboxId());
    const requests = [
      { inboxId: b.inboxId() },
      { inboxId: new Wallet().inboxId() },
      { inboxId: "not an inbox" },
      { inboxId: a.inboxId(), sequenceId: first?.sequenceId ?? 0n },
      { inboxId: a.inboxId(), sequenceId: second?.sequenceId ?? 0n },
      { inboxId: a.inboxId(), sequenceId: 2n ** 64n - 1n },
      { inboxId: a.inboxId() },
    ];
    const { responses } = await here.identity.getIdentityUpdates({ requests });
    expect(responses.map(({ inboxId }) => inboxId)).toEqual(requests.map(({ inboxId }) => inboxId));
    expect(responses.map(({ updates }) => updates.length)).toEqual([1, 0, 0, 1, 0, 0, 2]);
    expect(second?.sequenceId).toBeGreaterThan(first?.sequenceId ?? 0n);
    const [ofB] = responses[0]?.updates ?? [];
    expect(ofB?.sequenceId).toBeGreaterThan(first?.sequenceId ?? 0n);
    expect(ofB?.sequenceId).toBeLessThan(second?.sequenceId ?? 0n);
  });

  test("inboxes are answered one by one, as they were asked for, unset where nobody knows the identifier", async () => {
    const [known, unknown] = [new Wallet(), new Wallet()];
    await publish(here, await registration(known));
    const upper = `0x${known.address.slice(2).toUpperCase()}`;
    const requests = [
      { identifier: unknown.address, identifierKind: ETHEREUM },
      { identifier: known.address, identifierKind: ETHEREUM },
      { identifier: upper, identifierKind: IdentifierKind.UNSPECIFIED },
      { identifier: known.address, identifierKind: IdentifierKind.PASSKEY },
      { identifier: 'a "name"\0', identifierKind: ETHEREUM },
      { identifier: "", identifierKind: ETHEREUM },
    ];
    const { responses } = await there.identity.getInboxIds({ requests });
    expect(responses.map(({ identifier, identifierKind }) => ({ identifier, identifierKind }))).toEqual(requests);
    const found = responses.map(({ inboxId }) => inboxId);
    expect(found).toEqual([undefined, known.inboxId(), known.inboxId(), undefined, undefined, undefined]);
  });

  test("an identifier leads to the inbox that it joined last, until it is thrown out there", async () => {
    const [owner, other, shared] = [new Wallet(), new Wallet(), new Wallet()];
    await publish(here, await registration(owner));
    await publish(here, await registration(other));
    await publish(here, await addition(owner.inboxId(), owner, shared));
    expect(await inboxOf(there, shared)).toBe(owner.inboxId());
    await publish(there, await addition(other.inboxId(), other, shared));
    expect(await inboxOf(here, shared)).toBe(other.inboxId());
    await publish(there, await revocation(other.inboxId(), other, shared));
    expect(await inboxOf(here, shared)).toBe(owner.inboxId());
    await publish(here, await revocation(owner.inboxId(), owner, shared));
    expect(await inboxOf(there, shared)).toBeUndefined();
  });

  test("what is refused says which action and which rule, and leaves nothing behind", async () => {
    const [owner, stranger] = [new Wallet(), new Wallet()];
    const update = await registration(owner);
    await publish(here, update);
    const replayed = await failure(publish(there, update));
    expect(replayed[0]).toBe("InvalidArgument");
    expect(replayed[1]).toStartWith("identity update refused (alreadyCreated): action 0 (createInbox): ");
    const foreign = await failure(publish(here, await addition(owner.inboxId(), stranger, new Wallet())));
    expect(foreign[1]).toStartWith("identity update refused (signerIsNotAMember): action 0 (addAssociation): ");
    const forged = await addition(owner.inboxId(), owner, stranger);
    const tampered = { ...forged, clientTimestampNs: forged.clientTimestampNs + 1_000_000_000n };
    expect((await failure(publish(here, tampered)))[0]).toBe("InvalidArgument");
    expect(await logOf(here, owner.inboxId())).toHaveLength(1);
    expect(await inboxOf(here, stranger)).toBeUndefined();
    await publish(there, forged);
    expect(await inboxOf(here, stranger)).toBe(owner.inboxId());
  });

  test("an update without its parts is refused in words that name the part", async () => {
    const inboxId = new Wallet().inboxId();
    const words = async (
      identityUpdate?: Parameters<typeof here.identity.publishIdentityUpdate>[0]["identityUpdate"],
    ) =>
      (await failure(here.identity.publishIdentityUpdate(identityUpdate === undefined ? {} : { identityUpdate })))[1];
    expect(await words()).toBe("identity_update: wanted one, found none");
    expect(await words({ inboxId: "AB" })).toBe(
      "identity_update.inbox_id: wanted 64 hex digits in lower case, found 2 characters",
    );
    expect(await words({ inboxId })).toContain("(noActions)");
    expect(await words({ inboxId, actions: [{}] })).toStartWith("identity_update.actions[0]: wanted create_inbox, add");
    expect(await words({ inboxId, actions: [{ kind: { case: "revoke", value: {} } }] })).toStartWith(
      "identity_update.actions[0].revoke.member_to_revoke: wanted an ethereum_address",
    );
    const created = { initialIdentifier: "zz", initialIdentifierKind: IdentifierKind.PASSKEY };
    expect(await words({ inboxId, actions: [{ kind: { case: "createInbox", value: created } }] })).toStartWith(
      "identity_update.actions[0].create_inbox.initial_identifier: wanted a passkey's public key in hex",
    );
  });

  test("limits are named, with what came", async () => {
    const many = <T>(count: number, of: T) => Array.from({ length: count }, () => of);
    const wallet = new Wallet();
    const { responses } = await here.identity.getIdentityUpdates({
      requests: many(MAX_UPDATE_INBOXES, { inboxId: wallet.inboxId() }),
    });
    expect(responses).toHaveLength(MAX_UPDATE_INBOXES);
    expect(await failure(here.identity.getIdentityUpdates({ requests: many(MAX_UPDATE_INBOXES + 1, {}) }))).toEqual([
      "InvalidArgument",
      "requests: wanted at most 1000 inboxes, found 1001; ask in several requests",
    ]);
    expect(await failure(here.identity.getInboxIds({ requests: many(MAX_IDENTIFIERS + 1, {}) }))).toEqual([
      "InvalidArgument",
      "requests: wanted at most 10000 identifiers, found 10001; ask in several requests",
    ]);
    const signature = { signature: { case: "erc191", value: { bytes: new Uint8Array(MAX_UPDATE_BYTES) } } } as const;
    const value = { initialIdentifier: wallet.address, initialIdentifierSignature: signature };
    const large = create(IdentityUpdateSchema, {
      inboxId: wallet.inboxId(),
      actions: [{ kind: { case: "createInbox", value } }],
    });
    const [code, words] = await failure(publish(here, large));
    expect([code, words]).toEqual(["InvalidArgument", expect.stringContaining("wanted at most 65536 bytes, found 65")]);
  });

  test("contract wallets are asked about each signature, and each verdict has a block", async () => {
    const accountId = (chain: number) => `eip155:${chain}:0x${"ab".repeat(20)}`;
    const signatureOf = (chain: number, first: number) => {
      return { accountId: accountId(chain), hash: new Uint8Array(32), signature: Uint8Array.of(first) };
    };
    const { responses } = await here.identity.verifySmartContractWalletSignatures({
      signatures: [
        signatureOf(1, 1),
        signatureOf(1, 2),
        { ...signatureOf(3, 1), blockNumber: 5n },
        signatureOf(3, 1),
        { ...signatureOf(1, 1), accountId: "0xab" },
        { ...signatureOf(1, 1), hash: new Uint8Array(31) },
      ],
    });
    expect(responses.map(({ isValid, blockNumber }) => [isValid, blockNumber])).toEqual([
      [true, 77n],
      [false, 77n],
      [false, 5n],
      [false, 0n],
      [false, 0n],
      [false, 0n],
    ]);
    const errors = responses.map(({ error }) => error ?? "");
    expect(errors.slice(0, 4)).toEqual(["", "", "chain 3: set TIDELINE_CHAIN_RPC", "chain 3: set TIDELINE_CHAIN_RPC"]);
    expect(errors[4]).toStartWith("account_id: wanted eip155:CHAIN:ADDRESS");
    expect(errors[5]).toBe("hash: wanted 32 bytes, found 31");
    expect(asked.at(-1)).toMatchObject({ chainId: 3n, blockNumber: undefined });
    const many = Array.from({ length: MAX_WALLET_SIGNATURES + 1 }, () => signatureOf(1, 1));
    expect(await failure(here.identity.verifySmartContractWalletSignatures({ signatures: many }))).toEqual([
      "InvalidArgument",
      "signatures: wanted at most 50 signatures, found 51; ask in several requests",
    ]);
  });

  test("a chain that does not answer is UNAVAILABLE, and no verdict: clients take one for good", async () => {
    const signatures = [1, 2].map((chain) => {
      const accountId = `eip155:${chain}:0x${"ab".repeat(20)}`;
      return { accountId, hash: new Uint8Array(32), signature: Uint8Array.of(1) };
    });
    expect(await failure(here.identity.verifySmartContractWalletSignatures({ signatures }))).toEqual([
      "Unavailable",
      "signatures[1]: chain 2 did not answer",
    ]);
  });
});

describe("an inbox of a contract wallet", () => {
  const clients = () => one.clients("gRPC");
  let wallets = 0;

  /** The creation of a new wallet's inbox; the chain is asked whether the signature is the wallet's. */
  function creation(chain: number, firstByte: number): IdentityUpdate {
    const address = `0x${(++wallets).toString(16).padStart(40, "c")}`;
    const accountId = `eip155:${chain}:${address}`;
    const value = { accountId, blockNumber: 9n, signature: Uint8Array.of(firstByte, 2, 3) };
    const initialIdentifierSignature = { signature: { case: "erc6492", value } } as const;
    const createInbox = { initialIdentifier: address, nonce: 0n, initialIdentifierSignature };
    return create(IdentityUpdateSchema, {
      inboxId: inboxIdOf({ kind: "ethereum", address }, 0n),
      clientTimestampNs: 1n,
      actions: [{ kind: { case: "createInbox", value: createInbox } }],
    });
  }

  test("is created when its chain says that the signature is the wallet's, at the block that the update names", async () => {
    const update = creation(1, 1);
    await publish(clients(), update);
    expect(asked.at(-1)).toMatchObject({ chainId: 1n, blockNumber: 9n });
    expect(await logOf(clients(), update.inboxId)).toHaveLength(1);
  });

  test.each([
    {
      what: "the wallet does not know the signature",
      chain: 1,
      first: 2,
      code: "InvalidArgument",
      words: "(badSignature)",
    },
    { what: "its chain does not answer", chain: 2, first: 1, code: "Unavailable", words: "chain 2 did not answer" },
    { what: "nobody named its chain", chain: 3, first: 1, code: "FailedPrecondition", words: "TIDELINE_CHAIN_RPC" },
  ])("is not when $what: $code", async ({ chain, first, code, words }) => {
    const update = creation(chain, first);
    expect(await failure(publish(clients(), update))).toEqual([code, expect.stringContaining(words)]);
    expect(await logOf(clients(), update.inboxId)).toEqual([]);
  });
});

test("what comes of updates is counted: stored, or the rule that refused them", async () => {
  await using node = await openIdentityNode({ chains });
  const [clients, owner] = [node.clients("gRPC"), new Wallet()];
  const update = await registration(owner);
  await publish(clients, update);
  for (let n = 0; n < 2; n++) await failure(publish(clients, update));
  const text = await node.node.metrics.render();
  expect(text).toContain('tideline_identity_updates_total{outcome="stored"} 1');
  expect(text).toContain('tideline_identity_updates_total{outcome="alreadyCreated"} 2');
});

describe("an inbox", () => {
  test("takes concurrent updates through several nodes one after the other, and loses none", async () => {
    const owner = new Wallet();
    const [here, there] = [one.clients("gRPC"), two.clients("gRPC-Web")];
    await publish(here, await registration(owner));
    const added = Array.from({ length: 12 }, () => new Wallet());
    const updates = await Promise.all(added.map((wallet) => addition(owner.inboxId(), owner, wallet)));
    await Promise.all(updates.map((update, nth) => publish(nth % 2 === 0 ? here : there, update)));
    const log = await logOf(here, owner.inboxId());
    expect(log).toHaveLength(13);
    const ids = log.map(({ sequenceId }) => sequenceId);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => Number(a - b)));
    for (const wallet of added) expect(await inboxOf(there, wallet)).toBe(owner.inboxId());
    // What all of them came to is known: each can still be thrown out, and none be replayed.
    await publish(there, await revocation(owner.inboxId(), owner, added[7] ?? owner));
    for (const update of updates) expect((await failure(publish(here, update)))[1]).toContain("(replayedSignature)");
  });

  test("whose state another version of the node wrote is judged by its log", async () => {
    const [owner, added] = [new Wallet(), new Wallet()];
    const [here, there] = [one.clients("gRPC"), two.clients("gRPC")];
    const update = await addition(owner.inboxId(), owner, added);
    await publish(here, await registration(owner));
    await publish(here, update);
    await using admin = connectSql(database.target);
    const old = Buffer.from(JSON.stringify({ version: 0 }));
    await admin`UPDATE inboxes SET state = ${old} WHERE inbox_id = ${owner.inboxId()}`;
    expect((await failure(publish(there, update)))[1]).toContain("(replayedSignature)");
    await publish(there, await revocation(owner.inboxId(), owner, added));
    expect(await inboxOf(here, added)).toBeUndefined();
    expect(await logOf(here, owner.inboxId())).toHaveLength(3);
  });

  test("of two registrations of the same wallet at the same time has exactly one", async () => {
    const owner = new Wallet();
    const registrations = await Promise.all([registration(owner), registration(owner)]);
    const outcomes = await Promise.allSettled([
      publish(one.clients("gRPC"), registrations[0]),
      publish(two.clients("gRPC"), registrations[1]),
    ]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    expect(await logOf(one.clients("gRPC"), owner.inboxId())).toHaveLength(1);
  });
});

test("what a real SDK published is taken in its order and in no other, and read by a foreign gRPC client", async () => {
  const updates = RECORDED_UPDATES.map(({ update }) => fromBinary(IdentityUpdateSchema, update));
  const clients = one.clients("gRPC");
  const [first, ...later] = updates;
  const inboxId = first?.inboxId ?? "";
  for (const update of later) expect((await failure(publish(clients, update)))[1]).toContain("(notCreated)");
  for (const update of updates) await publish(clients, update);
  for (const update of updates) expect((await failure(publish(clients, update)))[0]).toBe("InvalidArgument");
  using foreign = new GrpcClient(two.grpc.address.port);
  const { responses } = await foreign.ask(IdentityApi.method.getIdentityUpdates, { requests: [{ inboxId }] });
  expect(responses.map((response) => response.updates.map(({ update }) => update))).toEqual([updates]);
});
