/** Asks chains about contract wallets, by the RPC endpoints that the operator has named. */

import type { ChainReader, ContractAnswer, ContractQuestion } from "./types";

/** The setting that holds the endpoints: named where one is missing. */
const SETTING = "TIDELINE_CHAIN_RPC";

type Ask = (question: ContractQuestion) => Promise<ContractAnswer>;

/** `urls`: the JSON-RPC endpoint (http or https) of each chain id. One that is not among them is not asked. */
export function chainReader(urls: ReadonlyMap<bigint, string>): ChainReader {
  const asks = new Map<bigint, Promise<Ask>>();
  return {
    async verifyContractSignature(question) {
      const { chainId } = question;
      const url = urls.get(chainId);
      if (url === undefined) return { kind: "chainNotConfigured", message: notConfigured(chainId, urls) };
      const ask = asks.get(chainId) ?? openChain(chainId, url);
      asks.set(chainId, ask);
      return await (await ask)(question);
    },
  };
}

function notConfigured(chainId: bigint, urls: ReadonlyMap<bigint, string>): string {
  const known = urls.size === 0 ? "none" : [...urls.keys()].join(", ");
  return `this node cannot ask contract wallets on chain ${chainId}: it has no RPC endpoint for it (${SETTING} names ${known}); its operator can add one`;
}

/** viem takes a tenth of a second to load, which most nodes can do without. */
async function openChain(chainId: bigint, url: string): Promise<Ask> {
  const { askChain } = await import("./chain-rpc");
  return askChain(chainId, url);
}
