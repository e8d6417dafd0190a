// Says something to an address, prints the answer, and ends:  node say.mjs 0x… hello
import { createClient, identifierOf } from "./client.mjs";

const [, , address, ...words] = process.argv;
const { client } = await createClient();
const dm = await client.conversations.createDmWithIdentifier(identifierOf(address));
const messages = await dm.stream();
await dm.sendText(words.join(" "));

for await (const { senderInboxId, content } of messages) {
  if (senderInboxId === client.inboxId || typeof content !== "string") continue;
  console.log(content);
  await client.close();
  process.exit(0);
}
