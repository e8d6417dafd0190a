/**
 * Identities: who belongs to an inbox, and the signed updates that changed that. Mirrors
 * `xmtp.identity.associations` (proto/identity), with the oneofs as unions and nothing optional that has to be there.
 */

/** Whom a person signs as, and what an inbox can be recovered by. */
export type Identifier = EthereumIdentifier | PasskeyIdentifier;

/** Whoever can be a member of an inbox. */
export type MemberIdentifier = Identifier | InstallationIdentifier;

export interface EthereumIdentifier {
  readonly kind: "ethereum";
  /** As it came. Only `0x` and 40 lower-case hex digits can ever sign. */
  readonly address: string;
}

export interface PasskeyIdentifier {
  readonly kind: "passkey";
  /** SEC1, as it came. Where the wire has hex, this is decoded. */
  readonly key: Uint8Array;
  /** No part of who it is: two passkeys with the same key are the same. */
  readonly relyingParty: string | undefined;
}

export interface InstallationIdentifier {
  readonly kind: "installation";
  /** Ed25519, 32 bytes. */
  readonly key: Uint8Array;
}

/** A signature as it came: nothing of it is believed. */
export type Signature =
  /** By an Ethereum key (EIP-191). 65 bytes: r, s, recovery id. */
  | { readonly kind: "erc191"; readonly bytes: Uint8Array }
  /** By a contract wallet (ERC-1271, ERC-6492). */
  | {
      readonly kind: "contractWallet";
      /** CAIP-10: `eip155:CHAIN:ADDRESS`. */
      readonly accountId: string;
      /** The block at which the wallet is asked. */
      readonly blockNumber: bigint;
      readonly signature: Uint8Array;
    }
  /** By an installation (Ed25519ph). 64 bytes and 32. */
  | { readonly kind: "installationKey"; readonly bytes: Uint8Array; readonly publicKey: Uint8Array }
  /** By a key of the protocol's first version, for which a wallet had signed. */
  | { readonly kind: "legacyDelegated"; readonly bytes: Uint8Array; readonly delegatedKey: SignedPublicKey }
  /** By a passkey (P-256, WebAuthn). */
  | {
      readonly kind: "passkey";
      readonly publicKey: Uint8Array;
      /** DER. */
      readonly signature: Uint8Array;
      readonly authenticatorData: Uint8Array;
      readonly clientDataJson: Uint8Array;
    };

/** A key of the protocol's first version and the wallet's signature for it. */
export interface SignedPublicKey {
  /** `xmtp.message_contents.UnsignedPublicKey`, encoded: these bytes are what the wallet signed. */
  readonly keyBytes: Uint8Array;
  /** The wallet's, of either arm: r and s, 64 bytes, and the recovery id. */
  readonly signature: { readonly bytes: Uint8Array; readonly recovery: number };
}

/** One change of an inbox, with the signatures of type `S` that it needs. */
export type ActionWith<S> =
  | {
      readonly kind: "createInbox";
      readonly initialIdentifier: Identifier;
      readonly nonce: bigint;
      readonly initialIdentifierSignature: S;
    }
  | {
      readonly kind: "addAssociation";
      readonly newMember: MemberIdentifier;
      readonly existingMemberSignature: S;
      readonly newMemberSignature: S;
    }
  | {
      readonly kind: "revokeAssociation";
      readonly memberToRevoke: MemberIdentifier;
      readonly recoveryIdentifierSignature: S;
    }
  | {
      readonly kind: "changeRecoveryAddress";
      readonly newRecoveryIdentifier: Identifier;
      readonly existingRecoveryIdentifierSignature: S;
    };

export interface UpdateWith<S> {
  /** Hex, 64 digits. */
  readonly inboxId: string;
  readonly clientTimestampNs: bigint;
  readonly actions: readonly ActionWith<S>[];
}

export type Action = ActionWith<Signature>;
/** As it came. `verifySignatures` makes a {@link VerifiedUpdate} of it. */
export type IdentityUpdate = UpdateWith<Signature>;
/** Every signature in it was made over its text by whom it names; whether they may is for `applyUpdate` to say. */
export type VerifiedUpdate = UpdateWith<VerifiedSignature>;

/** What a signature turned out to be. `contractWallet` is what libxmtp calls ERC-1271. */
export type SignatureKind = Signature["kind"];

export interface VerifiedSignature {
  readonly kind: SignatureKind;
  readonly signer: MemberIdentifier;
  /** Of a contract wallet; undefined with every other kind. */
  readonly chainId: bigint | undefined;
  /** Hex digests by which it is known again, however its bytes are bent: see docs/decisions/0017. */
  readonly replayKeys: readonly string[];
}

export interface Member {
  readonly identifier: MemberIdentifier;
  /** Who let it in; undefined for the first. */
  readonly addedBy: MemberIdentifier | undefined;
  readonly clientTimestampNs: bigint | undefined;
  /** Of a contract wallet: it cannot sign from another chain later. */
  readonly addedOnChainId: bigint | undefined;
}

/** What the log of an inbox amounts to. */
export interface AssociationState {
  readonly inboxId: string;
  /** In the order in which they came; no two with the same identifier. */
  readonly members: readonly Member[];
  /** Need not be a member. */
  readonly recoveryIdentifier: Identifier;
  /** {@link VerifiedSignature.replayKeys} of every update that was applied. */
  readonly seenSignatures: ReadonlySet<string>;
  /** How many updates were applied. */
  readonly updates: number;
}

/** Every rule an update can break. */
export type IdentityRule =
  // Of the update itself, before anything is verified
  | "noActions"
  | "tooManyActions"
  | "malformedIdentifier"
  | "malformedSignature"
  // Of signatures
  | "badSignature"
  | "chainNotConfigured"
  // Of the fold
  | "alreadyCreated"
  | "notCreated"
  | "wrongInboxId"
  | "signerIsNotTheIdentifier"
  | "signerIsNotAMember"
  | "signerIsNotTheRecoveryIdentifier"
  | "signatureKindNotAllowed"
  | "legacySignatureNotAllowed"
  | "memberMayNotAdd"
  | "addsItself"
  | "replayedSignature"
  | "chainIdMismatch"
  | "tooManyInstallations"
  | "tooManyUpdates";

export interface Refusal {
  readonly kind: "refused";
  readonly rule: IdentityRule;
  /** Which action, from 0; undefined if it is the whole update. */
  readonly action: number | undefined;
  /** What was wanted, what came, what to do. Names the action and the rule; for whoever sent the update. */
  readonly message: string;
}

/** What comes of an update: the state after it, or why there is none. A refused update changes nothing. */
export type Applied = { readonly kind: "state"; readonly state: AssociationState } | Refusal;

/** `unavailable`: a chain could not be asked. The same update may be fine a moment later. */
export type Verification =
  | { readonly kind: "verified"; readonly update: VerifiedUpdate }
  | Refusal
  | { readonly kind: "unavailable"; readonly action: number; readonly message: string };

export interface IdentityLimits {
  /** Installations that are members of one inbox at a time. SDKs stop at 10 themselves. */
  readonly installations: number;
  /** Updates of one inbox, ever. */
  readonly updates: number;
  /** Actions of one update. */
  readonly actions: number;
}

export const IDENTITY_LIMITS: IdentityLimits = { installations: 10, updates: 256, actions: 100 };

/** Asks contract wallets about signatures, on their chains. */
export interface ChainReader {
  /** Never rejects for what a chain says or fails to say. */
  verifyContractSignature(question: ContractQuestion): Promise<ContractAnswer>;
}

export interface ContractQuestion {
  readonly chainId: bigint;
  /** `0x` and 40 hex digits. */
  readonly address: string;
  /** 32 bytes. */
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
  /** At which block to ask; undefined: the newest. */
  readonly blockNumber: bigint | undefined;
}

export type ContractAnswer =
  | { readonly kind: "answered"; readonly isValid: boolean; readonly blockNumber: bigint }
  /** Nobody told this node how to reach the chain. The message names the chain and the setting. */
  | { readonly kind: "chainNotConfigured"; readonly message: string }
  /** The chain could not be asked, or gave an error; it may answer later. */
  | { readonly kind: "unreachable"; readonly message: string };
