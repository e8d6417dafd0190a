/**
 * What a test has an app do, in terms of XMTP's SDKs. The same file drives the Node SDK in a process of its own and
 * the browser SDK in a page; both have the same calls, here a promise and there a value, so everything is awaited.
 */

import { toBytes } from "viem";
import { privateKeyToAccount } from "viem/accounts";

const ETHEREUM = 0;

/**
 * @param sdk the SDK's module
 * @param tell called with everything that happens without having been asked for
 * @returns the operations by name; each takes one object and returns what JSON can say
 */
export function operationsOf(sdk, tell) {
  const clients = new Map();
  const streams = new Map();
  let lastStream = 0;

  const clientOf = ({ client }) => {
    const found = clients.get(client);
    if (found === undefined) throw new Error(`no client is called ${client}`);
    return found;
  };
  const conversationOf = async (args) => {
    const found = await clientOf(args).conversations.getConversationById(args.conversation);
    if (!found) throw new Error(`${args.client} has no conversation ${args.conversation}`);
    return found;
  };
  const inboxStateOf = async (client) => {
    const { preferences } = client;
    return await (preferences.fetchInboxState ?? preferences.inboxState).call(preferences, true);
  };

  return {
    /** Makes a client of a key, registered unless it has been, and remembers it by a name. */
    async create({ client: name, key, contract, options }) {
      const signer = signerOf({ key, contract });
      const made = await sdk.Client.create(signer, optionsOf(options));
      clients.set(name, made);
      const { identifier: address } = signer.getIdentifier();
      return { inboxId: made.inboxId, installationId: made.installationId, address };
    },
    address: ({ key, contract }) => ({ address: signerOf({ key, contract }).getIdentifier().identifier }),
    async canMessage({ addresses, ...args }) {
      const answers = await clientOf(args).canMessage(addresses.map(identifierOf));
      return Object.fromEntries(answers);
    },
    async dm({ inboxId, ...args }) {
      return { conversation: (await clientOf(args).conversations.createDm(inboxId)).id };
    },
    async group({ inboxIds, ...args }) {
      return { conversation: (await clientOf(args).conversations.createGroup(inboxIds)).id };
    },
    async addMembers({ inboxIds, ...args }) {
      await (await conversationOf(args)).addMembers(inboxIds);
    },
    async members(args) {
      const members = await (await conversationOf(args)).members();
      return members.map(({ inboxId, installationIds }) => ({ inboxId, installations: installationIds.length }));
    },
    /** Sends texts one after the other. */
    async send({ texts, ...args }) {
      const conversation = await conversationOf(args);
      for (const text of texts) await conversation.sendText(text);
    },
    /** Welcomes first, then all groups. */
    async syncAll(args) {
      await clientOf(args).conversations.syncAll();
    },
    async conversations(args) {
      return (await clientOf(args).conversations.list()).map(({ id }) => id);
    },
    /** The texts of a conversation that have been synced, oldest first. */
    async texts(args) {
      const messages = await (await conversationOf(args)).messages();
      return messages.map(({ content }) => content).filter((content) => typeof content === "string");
    },
    /** Opens a stream of all messages; each text is told as an event with the stream's number. */
    async streamAll(args) {
      const stream = await clientOf(args).conversations.streamAllMessages({
        retryDelay: 200,
        retryAttempts: 100,
        onError: (error) => tell({ event: "stream error", message: error.message }),
        ...args.options,
      });
      const number = ++lastStream;
      streams.set(number, stream);
      void follow(stream, (message) => {
        if (typeof message.content === "string")
          tell({ event: "text", stream: number, text: message.content, conversation: message.conversationId });
      });
      return { stream: number };
    },
    async streamConversations(args) {
      const stream = await clientOf(args).conversations.stream();
      const number = ++lastStream;
      streams.set(number, stream);
      void follow(stream, ({ id }) => tell({ event: "conversation", stream: number, conversation: id }));
      return { stream: number };
    },
    async endStream({ stream }) {
      await streams.get(stream)?.end();
      streams.delete(stream);
    },
    async inbox(args) {
      const state = await inboxStateOf(clientOf(args));
      return {
        accounts: (state.identifiers ?? state.accountIdentifiers).map(({ identifier }) => identifier),
        installations: state.installations.map(({ id }) => id),
        recovery: state.recoveryIdentifier?.identifier,
      };
    },
    async addAccount({ key, contract, ...args }) {
      await clientOf(args).unsafe_addAccount(signerOf({ key, contract }), true);
    },
    async removeAccount({ address, ...args }) {
      await clientOf(args).removeAccount(identifierOf(address));
    },
    async changeRecovery({ address, ...args }) {
      await clientOf(args).changeRecoveryIdentifier(identifierOf(address));
    },
    async revoke({ installationIds, ...args }) {
      await clientOf(args).revokeInstallations(installationIds.map((id) => toBytes(`0x${id}`)));
    },
    async keyPackages({ installationIds, ...args }) {
      const statuses = await clientOf(args).fetchKeyPackageStatuses(installationIds);
      const entries = statuses instanceof Map ? [...statuses] : Object.entries(statuses);
      return Object.fromEntries(
        entries.map(([id, status]) => [id, status.validationError ?? `valid from ${status.lifetime?.notBefore}`]),
      );
    },
    async close(args) {
      await clientOf(args).close();
      clients.delete(args.client);
    },
  };
}

/** Options as JSON has them: intervals come as numbers of milliseconds. */
function optionsOf({ workerIntervalsMs, ...options }) {
  if (workerIntervalsMs === undefined) return options;
  const entries = Object.entries(workerIntervalsMs);
  return {
    ...options,
    workerConfig: {
      workerIntervalsNs: entries.map(([kind, ms]) => ({ kind, intervalNs: BigInt(ms) * 1_000_000n })),
      workerJittersNs: entries.map(([kind]) => ({ kind, jitterNs: 0n })),
    },
  };
}

/** A wallet that is a key or, when a contract is named, a contract on a chain that a key owns. */
function signerOf({ key, contract }) {
  const account = privateKeyToAccount(key);
  const signMessage = async (message) => toBytes(await account.signMessage({ message }));
  if (contract === undefined) return { type: "EOA", getIdentifier: () => identifierOf(account.address), signMessage };
  return {
    type: "SCW",
    getIdentifier: () => identifierOf(contract.address),
    getChainId: () => BigInt(contract.chainId),
    signMessage,
  };
}

function identifierOf(address) {
  return { identifier: address.toLowerCase(), identifierKind: ETHEREUM };
}

async function follow(stream, hear) {
  for await (const value of stream) hear(value);
}
