import { test } from "bun:test";
import { drillReadOnly } from "./support/read-only";

test("a database made read-only, with all sessions ended: what was opened meanwhile does not stay so", async () => {
  await drillReadOnly({
    title: "read-only database",
    begin: async (admin) => {
      await admin`ALTER DATABASE postgres SET default_transaction_read_only = on`;
      await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
    },
    // Sessions that began meanwhile keep the setting: it is for the node to let go of them.
    end: async (admin) => {
      await admin`ALTER DATABASE postgres RESET default_transaction_read_only`;
    },
  });
}, 90_000);

test("a server turned read-only: publishers are told, streams and reads live on, and all goes on when it is turned back", async () => {
  await drillReadOnly({
    title: "read-only server",
    begin: async (admin) => {
      await admin`ALTER SYSTEM SET default_transaction_read_only = on`;
      await admin`SELECT pg_reload_conf()`;
    },
    end: async (admin) => {
      await admin`SET default_transaction_read_only = off`;
      await admin`ALTER SYSTEM RESET default_transaction_read_only`;
      await admin`SELECT pg_reload_conf()`;
    },
  });
}, 90_000);
