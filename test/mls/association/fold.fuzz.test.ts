/** The fold against the oracle, over random logs. `FUZZ_SEEDS`, `FUZZ_FIRST` as in test/fuzz. */

import { describe, expect, test } from "bun:test";
import { applyUpdate } from "../../../src/mls/association/fold";
import { inboxIdOf } from "../../../src/mls/association/identifier";
import { decodeState, encodeState } from "../../../src/mls/association/state-codec";
import type {
  AssociationState,
  Identifier,
  MemberIdentifier,
  SignatureKind,
  VerifiedSignature,
} from "../../../src/mls/association/types";
import { Prng } from "../../support/prng";
import { EMPTY, type Name, play, type Signed, type Step, type World } from "./oracle";
import { address, installation, passkey, type VerifiedAction } from "./verified";

const { FUZZ_SEEDS = "300", FUZZ_FIRST = "1" } = process.env;
const SEEDS = Array.from({ length: Number(FUZZ_SEEDS) }, (_, i) => Number(FUZZ_FIRST) + i);

const PEOPLE = ["a1", "a2", "a3", "p1", "p2"] as const;
const INSTALLATIONS = ["i1", "i2", "i3", "i4", "i5"] as const;
const LIMITS = { installations: 3, updates: 8, actions: 100 };
const UPDATES = 16;

const MEMBERS: Readonly<Record<string, MemberIdentifier>> = Object.fromEntries([
  ...PEOPLE.map((name) => [name, person(name)]),
  ...INSTALLATIONS.map((name) => [name, installation(Number(name[1]))]),
]);

function person(name: Name): Identifier {
  return name.startsWith("a") ? address(Number(name[1])) : passkey(Number(name[1]));
}

function member(name: Name): MemberIdentifier {
  const found = MEMBERS[name];
  if (found === undefined) throw new Error(`nobody is called ${name}`);
  return found;
}

/** Draws what is often allowed: a log in which nothing ever holds proves little. */
class Drawer {
  readonly #random: Prng;
  #marks = 0;

  constructor(random: Prng) {
    this.#random = random;
  }

  steps(world: World): readonly Step[] {
    const random = this.#random;
    const steps: Step[] = [];
    if (world.inbox === undefined && random.chance(0.95)) steps.push(this.#create());
    for (let more = random.int(4); more > 0; more--) steps.push(this.#step(world));
    return steps;
  }

  #create(): Step {
    const who = this.#random.chance(0.7) ? "a1" : this.#random.pick(PEOPLE);
    return { does: "create", who, nonce: this.#random.chance(0.8) ? 0 : 1, signed: this.#signed(who, EMPTY) };
  }

  #step(world: World): Step {
    const random = this.#random;
    const who = random.chance(0.5) ? random.pick(PEOPLE) : random.pick(INSTALLATIONS);
    const recovery = () => this.#signed(random.chance(0.85) ? world.recovery || "a1" : random.pick(PEOPLE), world);
    const does = random.weighted({ add: 10, revoke: 4, recover: 2, create: 0.5 });
    if (does === "create") return this.#create();
    if (does === "revoke") return { does, who, signed: recovery() };
    if (does === "recover") return { does, who: random.pick(PEOPLE), signed: recovery() };
    const members = [...world.members.keys(), "a1"];
    const old = random.chance(0.85) ? random.pick(members) : random.pick([...PEOPLE, ...INSTALLATIONS]);
    const signer = random.chance(0.95) ? who : random.pick(PEOPLE);
    return { does, who, old: this.#signed(old, world), signed: this.#signed(signer, EMPTY) };
  }

  #signed(by: Name, world: World): Signed {
    const random = this.#random;
    const known = world.members.get(by)?.chain;
    const wallet = known === undefined ? random.chance(0.1) : random.chance(0.9);
    const usual = wallet && by.startsWith("a") ? "wallet" : "own";
    const how = random.weighted({ usual: 14, legacy: by.startsWith("a") ? 1 : 0.2, wrong: 0.4 });
    const kind = how === "usual" ? usual : how;
    const chain = kind === "wallet" ? (random.chance(0.9) ? (known ?? 1) : 2) : undefined;
    const old = random.chance(0.03) && this.#marks > 0 ? random.int(this.#marks) : this.#marks++;
    return { by, how: kind, chain, mark: `#${old}` };
  }
}

function signatureKind({ by, how }: Signed): SignatureKind {
  if (how === "wallet") return "contractWallet";
  if (how === "legacy") return "legacyDelegated";
  const own = { a: "erc191", i: "installationKey", p: "passkey" } as const;
  const wrong = { a: "passkey", i: "erc191", p: "installationKey" } as const;
  const first = by.startsWith("a") ? "a" : by.startsWith("i") ? "i" : "p";
  return how === "own" ? own[first] : wrong[first];
}

function signature(signed: Signed): VerifiedSignature {
  const chainId = signed.chain === undefined ? undefined : BigInt(signed.chain);
  return { kind: signatureKind(signed), signer: member(signed.by), chainId, replayKeys: [signed.mark] };
}

function actionOf(step: Step): VerifiedAction {
  switch (step.does) {
    case "create": {
      const initialIdentifierSignature = signature(step.signed);
      const initialIdentifier = person(step.who);
      return { kind: "createInbox", initialIdentifier, nonce: BigInt(step.nonce), initialIdentifierSignature };
    }
    case "add": {
      const existingMemberSignature = signature(step.old);
      const newMember = member(step.who);
      return { kind: "addAssociation", newMember, existingMemberSignature, newMemberSignature: signature(step.signed) };
    }
    case "revoke": {
      const recoveryIdentifierSignature = signature(step.signed);
      return { kind: "revokeAssociation", memberToRevoke: member(step.who), recoveryIdentifierSignature };
    }
    case "recover": {
      const existingRecoveryIdentifierSignature = signature(step.signed);
      const newRecoveryIdentifier = person(step.who);
      return { kind: "changeRecoveryAddress", newRecoveryIdentifier, existingRecoveryIdentifierSignature };
    }
    default:
      return step satisfies never;
  }
}

function nameOf(identifier: MemberIdentifier): Name {
  const found = Object.keys(MEMBERS).find((name) => Bun.deepEquals(member(name), identifier));
  if (found === undefined) throw new Error("a member that nobody is");
  return found;
}

/** A state in the oracle's words. */
function asWorld(state: AssociationState, inbox: string): World {
  return {
    inbox,
    recovery: nameOf(state.recoveryIdentifier),
    members: new Map(
      state.members.map(({ identifier, addedBy, addedOnChainId }) => [
        nameOf(identifier),
        {
          by: addedBy === undefined ? undefined : nameOf(addedBy),
          chain: addedOnChainId === undefined ? undefined : Number(addedOnChainId),
        },
      ]),
    ),
    marks: new Set(state.seenSignatures),
    updates: state.updates,
  };
}

/** How many updates of a random log were applied. @throws Error where fold and oracle disagree. */
function playSeed(seed: number): { readonly applied: number; readonly refused: ReadonlySet<string> } {
  const random = new Prng(seed);
  const drawer = new Drawer(random);
  const refused = new Set<string>();
  let world = EMPTY;
  let state: AssociationState | undefined;
  for (let nth = 0; nth < UPDATES; nth++) {
    const steps = drawer.steps(world);
    const first = steps[0]?.does === "create" ? steps[0] : undefined;
    const own = world.inbox ?? (first === undefined ? "a1/0" : `${first.who}/${first.nonce}`);
    const inbox = random.chance(0.98) ? own : "a3/7";
    const [who = "", nonce = ""] = inbox.split("/");
    const inboxId = inboxIdOf(person(who), BigInt(nonce));
    const before = state === undefined ? undefined : encodeState(state);
    const update = { inboxId, clientTimestampNs: BigInt(nth), actions: steps.map(actionOf) };
    const applied = applyUpdate(state, update, LIMITS);
    const expected = play(world, inbox, steps, LIMITS.updates);
    const where = `FUZZ_FIRST=${seed} FUZZ_SEEDS=1, update ${nth}: ${JSON.stringify(steps)}`;
    if (applied.kind === "refused") {
      refused.add(applied.rule);
      if (expected !== undefined) throw new Error(`${where}: refused, ${applied.message}`);
      expect(state === undefined ? undefined : encodeState(state), where).toEqual(before);
      continue;
    }
    if (expected === undefined) throw new Error(`${where}: applied, and must not be`);
    expect(asWorld(applied.state, inbox), where).toEqual(expected);
    const stored = decodeState(encodeState(applied.state));
    expect(stored, where).toEqual({ kind: "state", state: applied.state });
    [world, state] = [expected, applied.state];
  }
  return { applied: world.updates, refused };
}

describe("random logs", () => {
  test("fold as the oracle says, update by update", () => {
    const refused = new Set<string>();
    let applied = 0;
    for (const seed of SEEDS) {
      const played = playSeed(seed);
      applied += played.applied;
      for (const rule of played.refused) refused.add(rule);
    }
    // A drawer that no longer reaches a rule proves nothing of it.
    if (SEEDS.length < 100) return;
    expect(applied / SEEDS.length).toBeGreaterThan(3);
    expect([...refused].sort()).toEqual([
      "addsItself",
      "alreadyCreated",
      "chainIdMismatch",
      "legacySignatureNotAllowed",
      "memberMayNotAdd",
      "noActions",
      "notCreated",
      "replayedSignature",
      "signatureKindNotAllowed",
      "signerIsNotAMember",
      "signerIsNotTheIdentifier",
      "signerIsNotTheRecoveryIdentifier",
      "tooManyInstallations",
      "tooManyUpdates",
      "wrongInboxId",
    ]);
  });
});
