/** IdentityApi.VerifySmartContractWalletSignatures: what contract wallets say of signatures. */

import { parseAccountId } from "../../mls/association/contract-wallet";
import type { ChainReader, ContractQuestion } from "../../mls/association/types";
import type {
  VerifySmartContractWalletSignatureRequestSignature,
  VerifySmartContractWalletSignaturesRequest,
  VerifySmartContractWalletSignaturesResponse,
} from "../../wire/gen/identity/api/v1/identity_pb";
import { type WalletVerdict, walletVerdictsResponse } from "../../wire/identity";
import { unavailable } from "../errors";
import { checkCount } from "./checks";

/** Signatures that one request may ask about: each is a question to a chain. */
export const MAX_WALLET_SIGNATURES = 50;

const HASH_BYTES = 32;

/**
 * One verdict per signature. What is wrong with one of them is its own verdict, so that the others get theirs.
 * @throws ConnectError when there are too many, and when a chain cannot be asked: clients take a verdict for final
 */
export async function verifyWalletSignatures(
  chains: ChainReader,
  { signatures }: VerifySmartContractWalletSignaturesRequest,
): Promise<VerifySmartContractWalletSignaturesResponse> {
  checkCount("signatures", "signatures", signatures.length, MAX_WALLET_SIGNATURES);
  return walletVerdictsResponse(await Promise.all(signatures.map((signature, at) => verdictOf(chains, signature, at))));
}

type SignatureMessage = VerifySmartContractWalletSignatureRequestSignature;

async function verdictOf(chains: ChainReader, message: SignatureMessage, at: number): Promise<WalletVerdict> {
  const { blockNumber: asked = 0n } = message;
  const question = questionOf(message);
  if (typeof question === "string") return { isValid: false, blockNumber: asked, error: question };
  const answer = await chains.verifyContractSignature(question);
  switch (answer.kind) {
    case "answered":
      return { isValid: answer.isValid, blockNumber: answer.blockNumber, error: undefined };
    case "chainNotConfigured":
      return { isValid: false, blockNumber: asked, error: answer.message };
    case "unreachable":
      throw unavailable(`signatures[${at}]: ${answer.message}`);
    default:
      return answer satisfies never;
  }
}

/** What to ask the chain; or in words why nothing can be asked. */
function questionOf({ accountId, blockNumber, signature, hash }: SignatureMessage): ContractQuestion | string {
  const account = parseAccountId(accountId);
  if (account === undefined) {
    return "account_id: wanted eip155:CHAIN:ADDRESS (CAIP-10), with an address of 0x and 40 hex digits; found other text";
  }
  if (hash.length !== HASH_BYTES) return `hash: wanted ${HASH_BYTES} bytes, found ${hash.length}`;
  return { ...account, hash, signature, blockNumber };
}
