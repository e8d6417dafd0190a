// An XMTP client whose wallet is a key: WALLET_KEY, or a new one. XMTP_URL: the node.
import { Client } from "@xmtp/node-sdk";
import { toBytes } from "viem";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";

process.env.XMTP_BIDI_STREAMS_ENABLED ??= "1"; // one Subscribe stream for everything

const ETHEREUM = 0;
export const identifierOf = (address) => ({ identifier: address.toLowerCase(), identifierKind: ETHEREUM });

export async function createClient() {
  const account = privateKeyToAccount(process.env.WALLET_KEY ?? generatePrivateKey());
  const signer = {
    type: "EOA",
    getIdentifier: () => identifierOf(account.address),
    signMessage: async (message) => toBytes(await account.signMessage({ message })),
  };
  const client = await Client.create(signer, {
    env: "local",
    apiUrl: process.env.XMTP_URL ?? "http://127.0.0.1:5556",
    dbPath: `xmtp-${account.address}.db3`, // what it has read; without it each start is a new installation
    historySyncUrl: null,
  });
  return { client, address: account.address };
}
