/** One chain, asked by JSON-RPC. Loads viem: import it when it is needed. */

import {
  BaseError,
  bytesToHex,
  createClient,
  ExecutionRevertedError,
  encodeDeployData,
  erc6492SignatureValidatorAbi,
  erc6492SignatureValidatorByteCode,
  getAddress,
  http,
} from "viem";
import { call, getBlockNumber } from "viem/actions";
import type { ContractAnswer, ContractQuestion } from "./types";

/** What one question may take, in milliseconds; it is asked once more when it fails. */
const TIMEOUT_MS = 5_000;
const VALID = "0x01";

/** `url`: an endpoint of that chain, http or https. The answers never reject. */
export function askChain(chainId: bigint, url: string): (question: ContractQuestion) => Promise<ContractAnswer> {
  const transport = http(url, { timeout: TIMEOUT_MS, retryCount: 1, retryDelay: 100 });
  const client = createClient({ transport, ccipRead: false });
  return async ({ address, hash, signature, blockNumber: asked }) => {
    try {
      const blockNumber = asked ?? (await getBlockNumber(client));
      const data = validatorCall(address, hash, signature);
      const isValid = await call(client, { data, blockNumber }).then((result) => result.data === VALID, revertedIsNo);
      return { kind: "answered", isValid, blockNumber };
    } catch (error) {
      return { kind: "unreachable", message: `chain ${chainId} could not be asked: ${describe(error)}` };
    }
  };
}

/**
 * A contract that is deployed for the length of the call only, and asks the wallet (ERC-6492, then ERC-1271, then
 * whether it is an account with a key). viem's `verifyHash` takes more than that: forms no client would take.
 */
function validatorCall(address: string, hash: Uint8Array, signature: Uint8Array) {
  return encodeDeployData({
    abi: erc6492SignatureValidatorAbi,
    args: [getAddress(address.toLowerCase()), bytesToHex(hash), bytesToHex(signature)],
    bytecode: erc6492SignatureValidatorByteCode,
  });
}

/** A wallet that reverts takes the signature for none. @throws the error, if it is any other: ask again. */
function revertedIsNo(error: unknown): false {
  if (error instanceof BaseError && error.walk((cause) => cause instanceof ExecutionRevertedError) !== null)
    return false;
  throw error;
}

/** Without the address of the endpoint, which may hold a key. */
function describe(error: unknown): string {
  return error instanceof BaseError ? `${error.name}: ${error.details}` : "unknown error";
}
