/** A chain as far as a node asks one: contract wallets that take the signatures of their owners. */

import { randomBytes } from "node:crypto";
import {
  decodeDeployData,
  erc6492SignatureValidatorAbi,
  erc6492SignatureValidatorByteCode,
  type Hex,
  isAddressEqual,
  isHex,
  recoverAddress,
} from "viem";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import type { Wallet } from "./app";

export const CHAIN_ID = 31_337;
const NEWEST_BLOCK = 1_234;

interface RpcRequest {
  readonly id: number;
  readonly method: string;
  readonly params?: readonly unknown[];
}

export class ChainStub implements AsyncDisposable {
  /** How often it was asked about a signature. */
  asked = 0;
  readonly #owners = new Map<string, Hex>();
  readonly #server: Bun.Server<undefined>;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        const { id, method, params = [] }: RpcRequest = JSON.parse(await request.text());
        return Response.json({ jsonrpc: "2.0", id, ...(await this.#answer(method, params)) });
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Deploys a wallet that an account with a key owns. */
  deployWallet(): Wallet & { readonly contract: { readonly address: string } } {
    const key = generatePrivateKey();
    const address = `0x${randomBytes(20).toString("hex")}`;
    this.#owners.set(address, privateKeyToAddress(key));
    return { key, contract: { address, chainId: CHAIN_ID } };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }

  async #answer(method: string, [transaction]: readonly unknown[]): Promise<object> {
    const result = method === "eth_call" ? await this.#call(transaction) : BLOCKS[method];
    return result === undefined ? { error: { code: -32_601, message: `no ${method} here` } } : { result };
  }

  /** A call of ERC-6492's validator, which is sent along. Whether the wallet's owner has signed the hash. */
  async #call(transaction: unknown): Promise<Hex> {
    this.asked++;
    const data = typeof transaction === "object" && transaction !== null ? Reflect.get(transaction, "data") : undefined;
    if (!isHex(data)) throw new Error("a call without data");
    const { args } = decodeDeployData({
      abi: erc6492SignatureValidatorAbi,
      bytecode: erc6492SignatureValidatorByteCode,
      data,
    });
    const [wallet, hash, signature] = args;
    const owner = this.#owners.get(wallet.toLowerCase());
    if (owner === undefined) return NO;
    try {
      return isAddressEqual(await recoverAddress({ hash, signature }), owner) ? YES : NO;
    } catch {
      return NO; // no signature at all
    }
  }
}

const YES = "0x01";
const NO = "0x00";
const BLOCKS: Readonly<Record<string, string>> = {
  eth_chainId: `0x${CHAIN_ID.toString(16)}`,
  eth_blockNumber: `0x${NEWEST_BLOCK.toString(16)}`,
};
