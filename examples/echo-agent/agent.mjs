// Says back whatever it is told, in DMs and groups.
import { createClient } from "./client.mjs";

const { client, address } = await createClient();
const messages = await client.conversations.streamAllMessages();
console.log(`${address} listens`);

for await (const { senderInboxId, conversationId, content } of messages) {
  if (senderInboxId === client.inboxId || typeof content !== "string") continue;
  const conversation = await client.conversations.getConversationById(conversationId);
  await conversation.sendText(`echo: ${content}`);
  console.log(`echoed ${content.length} characters`);
}
