/** Keeps what is deleted from the messages of a database, so that what was stored can be told to the end. */

import type { Sql } from "postgres";
import { DELETE_LOCK_KEY } from "../../../src/store/deleter";

/** Everything deleted from now on is kept. */
export async function digGraveyard(admin: Sql): Promise<void> {
  await admin`CREATE TABLE graveyard (LIKE messages)`;
  await admin`CREATE FUNCTION bury() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO graveyard SELECT OLD.*; RETURN NULL; END $$`;
  await admin`CREATE TRIGGER bury AFTER DELETE ON messages FOR EACH ROW EXECUTE FUNCTION bury()`;
}

/** Per kind, the highest id that was deleted; 0 if none was. */
export async function deletedUpTo(admin: Sql): Promise<readonly [bigint, bigint]> {
  const rows = await admin<
    { kind: number; last: string }[]
  >`SELECT kind, max(id)::text AS last FROM graveyard GROUP BY kind`;
  const of = (kind: number) => BigInt(rows.find((row) => row.kind === kind)?.last ?? "0");
  return [of(0), of(1)];
}

/** Per kind, the newest id ever given. */
export async function newestIds(admin: Sql): Promise<readonly [bigint, bigint]> {
  const rows = await admin<{ kind: number; last: string }[]>`SELECT kind, last::text AS last FROM sequences`;
  const of = (kind: number) => BigInt(rows.find((row) => row.kind === kind)?.last ?? "0");
  return [of(0), of(1)];
}

/** Nobody deletes any more, for as long as the session of `admin` lasts. */
export async function stopDeleting(admin: Sql): Promise<void> {
  await admin`SELECT pg_advisory_lock(${DELETE_LOCK_KEY}::int8)`;
}

/** Puts back what was deleted; returns how many messages that were. */
export async function raiseTheDead(admin: Sql): Promise<number> {
  return (await admin`INSERT INTO messages SELECT * FROM graveyard`).count;
}
