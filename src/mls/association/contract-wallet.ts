/** Signatures by contract wallets (ERC-1271, ERC-6492): only the contract, on its chain, can tell. */

import type { Outcome } from "./outcome";
import { fault } from "./refusal";
import type { ChainReader, Signature } from "./types";

const ACCOUNT_ID = /^eip155:(\d{1,20}):(0x[0-9a-fA-F]{40})$/;

export interface AccountId {
  readonly chainId: bigint;
  /** `0x` and 40 hex digits, as they came. */
  readonly address: string;
}

/** Reads CAIP-10 for Ethereum's chains. Undefined if it is anything else. */
export function parseAccountId(text: string): AccountId | undefined {
  const [, chain, address] = ACCOUNT_ID.exec(text) ?? [];
  if (chain === undefined || address === undefined) return undefined;
  const chainId = BigInt(chain);
  return chainId < 2n ** 64n ? { chainId, address } : undefined;
}

/** `hash`: of the update's text by EIP-191. */
export async function verifyContractWallet(
  hash: Uint8Array,
  { accountId, blockNumber, signature }: Extract<Signature, { kind: "contractWallet" }>,
  chains: ChainReader,
): Promise<Outcome> {
  const account = parseAccountId(accountId);
  if (account === undefined) {
    const wanted = "account_id: wanted eip155:CHAIN:ADDRESS (CAIP-10), with an address of 0x and 40 hex digits";
    return fault("malformedSignature", `${wanted}, found ${JSON.stringify(accountId)}`);
  }
  const { chainId, address } = account;
  const answer = await chains.verifyContractSignature({ chainId, address, hash, signature, blockNumber });
  switch (answer.kind) {
    case "answered": {
      if (!answer.isValid) {
        const words = `${accountId} does not take the signature over the update's text at block ${answer.blockNumber}`;
        return fault("badSignature", words);
      }
      const signer = { kind: "ethereum", address: address.toLowerCase() } as const;
      return { kind: "signed", signer, chainId, remembered: [signature] };
    }
    case "chainNotConfigured":
      return fault("chainNotConfigured", answer.message);
    case "unreachable":
      return { kind: "unavailable", words: answer.message };
    default:
      return answer satisfies never;
  }
}
