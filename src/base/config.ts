/** The node's configuration: one table, read once at the start, frozen, passed down. */

import type { ValuesOf } from "./args";
import {
  bytes,
  chainUrls,
  choice,
  databaseUrl,
  durationOrForever,
  integer,
  listenAddress,
  listenAddressOrOff,
  nodeAddress,
  optional,
  text,
  toggle,
} from "./args-values";
import { LOG_LEVELS } from "./log";

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** How long messages may be kept: long enough to notice a mistake, short enough for the clock's nanoseconds. */
const retention = durationOrForever(10_000, 36_500 * 86_400_000);

/** What `tideline serve` can be told. */
export const SERVE_SETTINGS = {
  databaseUrl: {
    env: "DATABASE_URL",
    flag: "database-url",
    kind: databaseUrl,
    default: "",
    sentence: "The Postgres (14 or later) that holds the messages; empty: an embedded one in the data directory.",
  },
  dataDir: {
    env: "TIDELINE_DATA_DIR",
    flag: "data-dir",
    kind: text("directory"),
    default: "./.tideline",
    sentence: "Where the embedded database keeps its files.",
  },
  grpcListen: {
    env: "TIDELINE_GRPC_LISTEN",
    flag: "grpc-listen",
    kind: listenAddress,
    default: "127.0.0.1:5556",
    sentence: "Where gRPC is served, as HTTP/2; with a certificate also what the web port serves, over TLS only.",
  },
  webListen: {
    env: "TIDELINE_WEB_LISTEN",
    flag: "web-listen",
    kind: listenAddressOrOff,
    default: "127.0.0.1:5557",
    sentence: "Where gRPC-Web and Connect are served to browsers, as HTTP/1.1; with a certificate over TLS only.",
  },
  adminListen: {
    env: "TIDELINE_ADMIN_LISTEN",
    flag: "admin-listen",
    kind: listenAddressOrOff,
    default: "127.0.0.1:5559",
    sentence: "Where /livez, /readyz, /metrics and /streams answer; keep it away from the public.",
  },
  tlsCert: {
    env: "TIDELINE_TLS_CERT",
    flag: "tls-cert",
    kind: optional(text("file")),
    default: "",
    sentence: "A PEM file with the certificate and the chain to its authority; read again when it changes.",
  },
  tlsKey: {
    env: "TIDELINE_TLS_KEY",
    flag: "tls-key",
    kind: optional(text("file")),
    default: "",
    sentence: "A PEM file with the certificate's private key; both files or neither.",
  },
  processes: {
    env: "TIDELINE_PROCESSES",
    flag: "processes",
    kind: integer("processes", 1, 64),
    default: "1",
    sentence: "How many processes serve the gRPC port, each on its own core; they share the port and the database.",
  },
  worker: {
    env: "TIDELINE_WORKER",
    flag: "worker",
    kind: toggle,
    default: "false",
    sentence:
      "Be one of several processes: share the gRPC port, and end when stdin does. A node sets this for those it starts.",
  },
  keepaliveMs: {
    env: "TIDELINE_KEEPALIVE_MS",
    flag: "keepalive-ms",
    kind: integer("ms", 100, 30_000),
    default: "30000",
    sentence: "Silence on a stream after which its client is pinged, and how long the answer may take.",
  },
  stallMs: {
    env: "TIDELINE_STALL_MS",
    flag: "stall-ms",
    kind: integer("ms", 1_000, 3_600_000),
    default: "60000",
    sentence: "How long a client may read nothing at all of what waits for it before its stream ends.",
  },
  notify: {
    env: "TIDELINE_NOTIFY",
    flag: "notify",
    kind: choice(["listen", "poll"]),
    default: "listen",
    sentence:
      "How new messages are noticed: by notifications (and a slow poll), or by polling alone (standby, pooler).",
  },
  pollMs: {
    env: "TIDELINE_POLL_MS",
    flag: "poll-ms",
    kind: integer("ms", 1, 60_000),
    default: "25",
    sentence: "How often the database is looked at while no notifications come.",
  },
  tailRows: {
    env: "TIDELINE_TAIL_ROWS",
    flag: "tail-rows",
    kind: integer("messages", 1_000, 16_000_000),
    default: "65536",
    sentence: "How many of the newest messages are kept in memory, shared by all streams.",
  },
  tailBytes: {
    env: "TIDELINE_TAIL_BYTES",
    flag: "tail-bytes",
    kind: bytes(MiB, 64 * GiB),
    default: "64MiB",
    sentence: "How many bytes of the newest messages are kept in memory, shared by all streams.",
  },
  dbReaders: {
    env: "TIDELINE_DB_READERS",
    flag: "db-readers",
    kind: integer("connections", 3, 100),
    default: "6",
    sentence: "Database connections that read: histories, queries and new messages. Publishing has two of its own.",
  },
  maxMessageBytes: {
    env: "TIDELINE_MAX_MESSAGE_BYTES",
    flag: "max-message-bytes",
    kind: bytes(1024, 3 * MiB),
    default: "3MiB",
    sentence: "The largest message that can be published; larger ones would not fit into a frame.",
  },
  publishQueue: {
    env: "TIDELINE_PUBLISH_QUEUE",
    flag: "publish-queue",
    kind: integer("messages", 1, 10_000_000),
    default: "10000",
    sentence: "How many messages may wait to be stored; beyond that, publishers are told to try again.",
  },
  groupRetention: {
    env: "TIDELINE_GROUP_RETENTION",
    flag: "group-retention",
    kind: retention,
    default: "forever",
    sentence: "How long group messages are kept; older ones are deleted, even if nobody has read them.",
  },
  welcomeRetention: {
    env: "TIDELINE_WELCOME_RETENTION",
    flag: "welcome-retention",
    kind: retention,
    default: "forever",
    sentence: "How long welcomes are kept; older ones are deleted, even if nobody has read them.",
  },
  chainRpc: {
    env: "TIDELINE_CHAIN_RPC",
    flag: "chain-rpc",
    kind: chainUrls,
    default: "",
    sentence: "Where to ask each chain about signatures by contract wallets; those of other chains are refused.",
  },
  canaryMs: {
    env: "TIDELINE_CANARY_MS",
    flag: "canary-ms",
    kind: integer("ms", 0, 600_000),
    default: "5000",
    sentence: "How often the node publishes a message of its own and waits for it on a stream; 0: never.",
  },
  shutdownMs: {
    env: "TIDELINE_SHUTDOWN_MS",
    flag: "shutdown-ms",
    kind: integer("ms", 0, 600_000),
    default: "10000",
    sentence: "How long a stopping node waits for its streams and requests before it cuts them.",
  },
  logLevel: {
    env: "TIDELINE_LOG_LEVEL",
    flag: "log-level",
    kind: choice(LOG_LEVELS),
    default: "info",
    sentence: "The lowest level that is logged.",
  },
  logFormat: {
    env: "TIDELINE_LOG_FORMAT",
    flag: "log-format",
    kind: choice(["auto", "json", "text"]),
    default: "auto",
    sentence: "How log lines look; auto: text on a terminal, else json.",
  },
} as const;

/** The node's configuration, as read from {@link SERVE_SETTINGS}. */
export type ServeConfig = ValuesOf<typeof SERVE_SETTINGS>;

/** What the commands that talk to a node have in common. */
export const CLIENT_SETTINGS = {
  address: {
    env: "TIDELINE_ADDRESS",
    flag: "address",
    kind: nodeAddress,
    default: "127.0.0.1:5556",
    sentence: "The node to talk to.",
  },
} as const;

/** Every variable there is. */
export const KNOWN_ENV: readonly string[] = [...Object.values(SERVE_SETTINGS), ...Object.values(CLIENT_SETTINGS)].map(
  ({ env }) => env,
);
