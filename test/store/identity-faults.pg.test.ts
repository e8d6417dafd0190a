import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import type { Store } from "../../src/store/store";
import { createDatabase } from "../support/database";
import { connectSql } from "../support/sql-connection";
import { openTestStore, textOf, upTo } from "./store-fixtures";

const KILLS = 20;
/** More than there is. */
const MAX_BYTES = 1 << 20;

/** Appends what was judged by the present state, as the service does; the state is the list of all that came before. */
async function publish({ identities }: Store, inboxId: string, text: string): Promise<void> {
  const body = Buffer.from(text);
  for (;;) {
    const inbox = await identities.inbox(inboxId);
    const state = Buffer.from(`${inbox === undefined ? "" : textOf(inbox.state)}${text};`);
    const update = { inboxId, judgedBy: inbox?.version ?? 0n, body, state, added: [], removed: [] };
    if ((await identities.append(update)) !== undefined) return;
  }
}

test("acked updates and entries are stored exactly once although backends are killed in mid-statement twenty times", async () => {
  await using database = await createDatabase();
  await using admin = connectSql(database.target);
  await using one = await openTestStore(database.target);
  await using two = await openTestStore(database.target);
  const inboxes = upTo(3).map((n) => createHash("sha256").update(`${n}`).digest("hex"));
  const group = Buffer.from("group");
  const acked = { updates: [] as string[], entries: [] as string[] };
  let [killed, publishing] = [0, true];
  const publishAll = async (publisher: number) => {
    const [inboxId = ""] = [inboxes[publisher % inboxes.length]];
    for (let nth = 1; publishing; nth++) {
      const text = `${publisher}/${nth}`;
      await publish(publisher % 2 === 0 ? one : two, inboxId, text);
      acked.updates.push(text);
    }
  };
  const logAll = async (publisher: number) => {
    for (let nth = 1; publishing; nth++) {
      const text = `${publisher}/${nth}`;
      await (publisher % 2 === 0 ? one : two).commitLogs.append([{ groupId: group, body: Buffer.from(text) }]);
      acked.entries.push(text);
    }
  };
  const kill = async () => {
    while (killed < KILLS) {
      const rows = await admin.unsafe(`SELECT pg_terminate_backend(pid) AS done FROM pg_stat_activity
        WHERE datname = current_database() AND application_name = 'tideline identity' AND state = 'active'`);
      killed += rows.length;
    }
    publishing = false;
  };
  await Promise.all([...upTo(6).map(publishAll), ...upTo(4).map(logAll), kill()]);

  const logs = await one.identities.updates(
    inboxes.map((inboxId) => ({ inboxId, above: 0n })),
    MAX_BYTES,
  );
  const texts = logs.map((log) => log.map(({ body }) => textOf(body)));
  expect(texts.flat().sort()).toEqual([...acked.updates].sort());
  // Each was judged by what was stored before it, and by nothing else.
  const states = await Promise.all(inboxes.map(async (inboxId) => one.identities.inbox(inboxId)));
  expect(states.map((inbox) => inbox && textOf(inbox.state))).toEqual(
    texts.map((log) => log.map((text) => `${text};`).join("")),
  );
  const entries = await admin`SELECT convert_from(body, 'UTF8') AS text FROM commit_log`;
  expect(entries.map((row: { readonly text: string }) => row.text).sort()).toEqual([...acked.entries].sort());
  for (const table of ["identity_updates", "commit_log"]) {
    const [row] = await admin.unsafe(`SELECT max(id) AS head, count(*) AS count FROM ${table}`);
    expect(row.head).toBe(row.count);
  }
});
