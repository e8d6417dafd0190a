/** XMTP's WASM bindings, called as the SDKs are, as far as operations.mjs calls them. What a page has, here in Node. */

import { readFileSync } from "node:fs";
import init, * as wasm from "@xmtp/wasm-bindings";

const module = new URL("bindings_wasm_bg.wasm", import.meta.resolve("@xmtp/wasm-bindings"));
await init({ module_or_path: readFileSync(module) });

const FIRST_NONCE = 1n;

export class Client {
  #client;

  constructor(client) {
    this.#client = client;
  }

  static async create(signer, { apiUrl }) {
    const identifier = signer.getIdentifier();
    const inboxId = wasm.generateInboxId(identifier, FIRST_NONCE);
    const client = await wasm.createClient(
      apiUrl,
      inboxId,
      identifier,
      undefined,
      undefined,
      wasm.DeviceSyncMode.Disabled,
    );
    const request = client.createInboxSignatureRequest();
    await request.addEcdsaSignature(await signer.signMessage(await request.signatureText()));
    await client.registerIdentity(request);
    return new Client(client);
  }

  get inboxId() {
    return this.#client.inboxId;
  }

  get installationId() {
    return this.#client.installationId;
  }

  async canMessage(identifiers) {
    return await this.#client.canMessage(identifiers);
  }

  get conversations() {
    const conversations = this.#client.conversations();
    return {
      createDm: async (inboxId) => conversationOf(await conversations.createDmByInboxId(inboxId)),
      createGroup: async (inboxIds) => conversationOf(await conversations.createGroupByInboxIds(inboxIds)),
      getConversationById: (id) => conversationOf(conversations.findGroupById(id)),
      syncAll: () => conversations.syncAllConversations(),
      streamAllMessages: () => streamOf(conversations),
    };
  }
}

function conversationOf(conversation) {
  return {
    id: conversation.id(),
    sendText: (text) => conversation.sendText(text),
    messages: async () => (await conversation.findEnrichedMessages()).map(textOf),
  };
}

function textOf({ content }) {
  return { content: content.type === "text" ? content.content : content };
}

function streamOf(conversations) {
  const waiting = [];
  let wake = () => {};
  const closer = conversations.streamAllMessages({
    on_message: (message) => {
      waiting.push(message);
      wake();
    },
    on_error: (error) => process.stderr.write(`stream error: ${error}\n`),
    on_close: () => {},
  });
  return {
    end: () => closer.end(),
    async *[Symbol.asyncIterator]() {
      for (;;) {
        for (const { id, convoId } of waiting.splice(0)) {
          const message = await conversations.findEnrichedMessageById(id);
          yield { ...textOf(message), conversationId: convoId };
        }
        await new Promise((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}
