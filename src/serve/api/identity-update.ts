/** Identity updates as they come over the wire, in the words of src/mls. What it throws names the field. */

import type {
  Action,
  Identifier,
  IdentityUpdate,
  MemberIdentifier,
  Signature,
  SignedPublicKey,
} from "../../mls/association/types";
import {
  type AddAssociation as AddAssociationMessage,
  type ChangeRecoveryAddress as ChangeRecoveryAddressMessage,
  type CreateInbox as CreateInboxMessage,
  IdentifierKind,
  type IdentityAction as IdentityActionMessage,
  type IdentityUpdate as IdentityUpdateMessage,
  type MemberIdentifier as MemberIdentifierMessage,
  type RevokeAssociation as RevokeAssociationMessage,
} from "../../wire/gen/identity/associations/association_pb";
import type {
  LegacyDelegatedSignature as LegacyDelegatedSignatureMessage,
  Signature as SignatureMessage,
} from "../../wire/gen/identity/associations/signature_pb";
import { invalidArgument } from "../errors";

const NO_BYTES = new Uint8Array();

/**
 * The update that a message holds. That its parts are there is all that is known of it then.
 * @throws ConnectError
 */
export function readIdentityUpdate(message: IdentityUpdateMessage): IdentityUpdate {
  const { inboxId, clientTimestampNs, actions } = message;
  return {
    inboxId,
    clientTimestampNs,
    actions: actions.map((action, index) => readAction(`identity_update.actions[${index}]`, action)),
  };
}

function readAction(at: string, { kind }: IdentityActionMessage): Action {
  switch (kind.case) {
    case "createInbox":
      return readCreateInbox(`${at}.create_inbox`, kind.value);
    case "add":
      return readAdd(`${at}.add`, kind.value);
    case "revoke":
      return readRevoke(`${at}.revoke`, kind.value);
    case "changeRecoveryAddress":
      return readChangeRecovery(`${at}.change_recovery_address`, kind.value);
    case undefined:
      throw invalidArgument(
        `${at}: wanted create_inbox, add, revoke or change_recovery_address, found none of them; a newer kind of action needs a newer node`,
      );
    default:
      return kind satisfies never;
  }
}

function readCreateInbox(at: string, message: CreateInboxMessage): Action {
  const { initialIdentifier, initialIdentifierKind, relyingParty, nonce, initialIdentifierSignature } = message;
  return {
    kind: "createInbox",
    initialIdentifier: readIdentifier(`${at}.initial_identifier`, {
      text: initialIdentifier,
      kind: initialIdentifierKind,
      relyingParty,
    }),
    nonce,
    initialIdentifierSignature: readSignature(`${at}.initial_identifier_signature`, initialIdentifierSignature),
  };
}

function readAdd(at: string, message: AddAssociationMessage): Action {
  const { newMemberIdentifier, existingMemberSignature, newMemberSignature } = message;
  return {
    kind: "addAssociation",
    newMember: readMember(`${at}.new_member_identifier`, newMemberIdentifier, message.relyingParty),
    existingMemberSignature: readSignature(`${at}.existing_member_signature`, existingMemberSignature),
    newMemberSignature: readSignature(`${at}.new_member_signature`, newMemberSignature),
  };
}

function readRevoke(at: string, { memberToRevoke, recoveryIdentifierSignature }: RevokeAssociationMessage): Action {
  return {
    kind: "revokeAssociation",
    memberToRevoke: readMember(`${at}.member_to_revoke`, memberToRevoke),
    recoveryIdentifierSignature: readSignature(`${at}.recovery_identifier_signature`, recoveryIdentifierSignature),
  };
}

function readChangeRecovery(at: string, message: ChangeRecoveryAddressMessage): Action {
  const { newRecoveryIdentifier: text, newRecoveryIdentifierKind: kind, relyingParty } = message;
  return {
    kind: "changeRecoveryAddress",
    newRecoveryIdentifier: readIdentifier(`${at}.new_recovery_identifier`, { text, kind, relyingParty }),
    existingRecoveryIdentifierSignature: readSignature(
      `${at}.existing_recovery_identifier_signature`,
      message.existingRecoveryIdentifierSignature,
    ),
  };
}

/** An identifier as it stands in a text field, with its kind beside it. */
interface TextIdentifier {
  readonly text: string;
  readonly kind: IdentifierKind;
  readonly relyingParty: string | undefined;
}

/** @throws ConnectError for an unknown kind, or a passkey that is not hex */
function readIdentifier(field: string, { text, kind, relyingParty }: TextIdentifier): Identifier {
  switch (kind) {
    case IdentifierKind.UNSPECIFIED: // what older clients send
    case IdentifierKind.ETHEREUM:
      return { kind: "ethereum", address: text };
    case IdentifierKind.PASSKEY: {
      const key = bytesOfHex(text);
      if (key === undefined) throw invalidArgument(`${field}: wanted a passkey's public key in hex, found other text`);
      return { kind: "passkey", key, relyingParty };
    }
    default:
      kind satisfies never;
      throw invalidArgument(`${field}: wanted the kind 1 (Ethereum) or 2 (passkey), found ${kind}`);
  }
}

/** @param relyingParty of a passkey that says none itself */
function readMember(
  field: string,
  message: MemberIdentifierMessage | undefined,
  relyingParty?: string,
): MemberIdentifier {
  const kind = message?.kind ?? { case: undefined };
  switch (kind.case) {
    case "ethereumAddress":
      return { kind: "ethereum", address: kind.value };
    case "installationPublicKey":
      return { kind: "installation", key: kind.value };
    case "passkey":
      return { kind: "passkey", key: kind.value.key, relyingParty: kind.value.relyingParty ?? relyingParty };
    case undefined:
      throw invalidArgument(
        `${field}: wanted an ethereum_address, an installation_public_key or a passkey, found none of them`,
      );
    default:
      return kind satisfies never;
  }
}

function readSignature(field: string, message: SignatureMessage | undefined): Signature {
  const signature = message?.signature ?? { case: undefined };
  switch (signature.case) {
    case "erc191":
      return { kind: "erc191", bytes: signature.value.bytes };
    case "erc6492": {
      const { accountId, blockNumber, signature: bytes } = signature.value;
      return { kind: "contractWallet", accountId, blockNumber, signature: bytes };
    }
    case "installationKey":
      return { kind: "installationKey", bytes: signature.value.bytes, publicKey: signature.value.publicKey };
    case "delegatedErc191":
      return readDelegated(`${field}.delegated_erc_191`, signature.value);
    case "passkey": {
      const { publicKey, signature: bytes, authenticatorData, clientDataJson } = signature.value;
      return { kind: "passkey", publicKey, signature: bytes, authenticatorData, clientDataJson };
    }
    case undefined:
      throw invalidArgument(
        `${field}: wanted erc_191, erc_6492, installation_key, delegated_erc_191 or passkey, found none of them`,
      );
    default:
      return signature satisfies never;
  }
}

function readDelegated(field: string, { signature, delegatedKey }: LegacyDelegatedSignatureMessage): Signature {
  const union = delegatedKey?.signature?.union;
  if (delegatedKey === undefined || union?.value === undefined) {
    throw invalidArgument(`${field}.delegated_key: wanted a key and the wallet's signature for it, found none`);
  }
  const { bytes, recovery } = union.value;
  const key: SignedPublicKey = { keyBytes: delegatedKey.keyBytes, signature: { bytes, recovery } };
  return { kind: "legacyDelegated", bytes: signature?.bytes ?? NO_BYTES, delegatedKey: key };
}

/** The bytes that hex digits stand for; `undefined` if the text is none, or empty. */
function bytesOfHex(text: string): Uint8Array | undefined {
  return /^([0-9a-f]{2})+$/i.test(text) ? Uint8Array.from(Buffer.from(text, "hex")) : undefined;
}
