/** Verifies the signatures of an identity update: who really made each of them, over the text that it makes. */

import { createHash } from "node:crypto";
import { verifyContractWallet } from "./contract-wallet";
import { signaturesOf } from "./fold";
import { memberKey } from "./identifier";
import type { Outcome } from "./outcome";
import { refuseAction, refuseByShape } from "./refusal";
import { verifyInstallation, verifyPasskey } from "./signature-keys";
import { signatureText } from "./text";
import {
  type Action,
  type ActionWith,
  type ChainReader,
  IDENTITY_LIMITS,
  type IdentityLimits,
  type IdentityUpdate,
  type Signature,
  type Verification,
  type VerifiedSignature,
} from "./types";

export interface VerifyOptions {
  /** Asked about contract wallets. */
  readonly chains: ChainReader;
  readonly limits?: IdentityLimits;
  /** Waited for before each signature, which takes a millisecond or two to verify: lets others have their turn. */
  readonly turn?: () => Promise<void>;
}

/** Never rejects for what is in the update, nor for a chain that does not answer. */
export async function verifySignatures(update: IdentityUpdate, options: VerifyOptions): Promise<Verification> {
  const refusal = refuseByShape(update, options.limits ?? IDENTITY_LIMITS);
  if (refusal !== undefined) return refusal;
  const verifier = new Verifier(signatureText(update), options);
  const actions: ActionWith<VerifiedSignature>[] = [];
  for (const [index, action] of update.actions.entries()) {
    const verified: VerifiedSignature[] = [];
    for (const signature of signaturesOf(action)) {
      const outcome = await verifier.verify(signature);
      if (outcome.kind === "fault") return refuseAction(index, action, outcome);
      if (outcome.kind === "unavailable") {
        const message = `identity update not verified: action ${index} (${action.kind}): ${outcome.words}; try again`;
        return { kind: "unavailable", action: index, message };
      }
      verified.push(outcome.signature);
    }
    actions.push(withSignatures(action, verified));
  }
  return { kind: "verified", update: { ...update, actions } };
}

type Judged =
  | { readonly kind: "verified"; readonly signature: VerifiedSignature }
  | Exclude<Outcome, { kind: "signed" }>;

/** Verifies signatures over one text, each of them once: an account often signs for several actions at a time. */
class Verifier {
  readonly #text: string;
  readonly #options: VerifyOptions;
  readonly #judged = new Map<string, Judged>();

  constructor(text: string, options: VerifyOptions) {
    this.#text = text;
    this.#options = options;
  }

  async verify(signature: Signature): Promise<Judged> {
    const key = JSON.stringify(signature, (_, value) => (typeof value === "bigint" ? `${value}` : hexOfBytes(value)));
    const known = this.#judged.get(key);
    if (known !== undefined) return known;
    await this.#options.turn?.();
    const judged = this.#judge(signature.kind, await this.#outcomeOf(signature));
    this.#judged.set(key, judged);
    return judged;
  }

  async #outcomeOf(signature: Signature): Promise<Outcome> {
    switch (signature.kind) {
      case "erc191":
        return await (await loadEthereum()).verifyErc191(this.#text, signature);
      case "legacyDelegated":
        return await (await loadEthereum()).verifyLegacyDelegated(this.#text, signature);
      case "contractWallet":
        return await verifyContractWallet((await loadEthereum()).hashText(this.#text), signature, this.#options.chains);
      case "installationKey":
        return verifyInstallation(this.#text, signature);
      case "passkey":
        return verifyPasskey(this.#text, signature);
      default:
        return signature satisfies never;
    }
  }

  #judge(kind: Signature["kind"], outcome: Outcome): Judged {
    if (outcome.kind !== "signed") return outcome;
    const { signer, chainId, remembered } = outcome;
    const bytes = remembered.map((one) => digest("bytes", one));
    const replayKeys = [digest("text", memberKey(signer), this.#text), ...bytes];
    return { kind: "verified", signature: { kind, signer, chainId, replayKeys } };
  }
}

/** viem takes a tenth of a second to load, which a node that nobody publishes identities to can do without. */
async function loadEthereum() {
  return await import("./ethereum");
}

/** JSON.stringify has made something of a Buffer before the replacer sees it, and of a Uint8Array it has not. */
function hexOfBytes(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value;
}

function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex");
}

/** The action with its signatures replaced, which are in the order of {@link signaturesOf}. */
function withSignatures(action: Action, verified: readonly VerifiedSignature[]): ActionWith<VerifiedSignature> {
  const [first, second] = verified;
  if (first === undefined) throw new Error("an action has at least one signature");
  switch (action.kind) {
    case "createInbox":
      return { ...action, initialIdentifierSignature: first };
    case "addAssociation":
      if (second === undefined) throw new Error("an addition has two signatures");
      return { ...action, existingMemberSignature: first, newMemberSignature: second };
    case "revokeAssociation":
      return { ...action, recoveryIdentifierSignature: first };
    case "changeRecoveryAddress":
      return { ...action, existingRecoveryIdentifierSignature: first };
    default:
      return action satisfies never;
  }
}
