/** How the embedded server is set: what it promises, what it takes of the machine, what it says. */

import { totalmem } from "node:os";
import { clusterName } from "./leftover";
import { LOG_LINE_PREFIX } from "./server";

const MIB = 1 << 20;
/** There is one server to a socket's directory, so it is always the same. */
export const PORT = 5432;

/** Sized by the machine's memory; shared buffers cost only what is used of them. */
export function serverSettings(cluster: string, socketDirectory: string): Readonly<Record<string, string>> {
  const sharedMiB = Math.min(512, Math.max(64, Math.floor(totalmem() / MIB / 16)));
  return {
    cluster_name: clusterName(cluster),
    listen_addresses: "",
    unix_socket_directories: socketDirectory,
    unix_socket_permissions: "0700",
    port: `${PORT}`,
    max_connections: "100",
    shared_buffers: `${sharedMiB}MB`,
    effective_cache_size: `${sharedMiB * 4}MB`,
    // Whatever the cluster's own files say: an acked message is on disk.
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    max_wal_size: "1GB",
    max_wal_senders: "0",
    max_logical_replication_workers: "0",
    // Our reads are probes of indexes; helpers of all sorts would only take memory.
    io_method: "sync",
    max_parallel_workers_per_gather: "0",
    random_page_cost: "1.1",
    jit: "off",
    timezone: "UTC",
    log_timezone: "UTC",
    // To our log, without rows, statements and parameters.
    log_destination: "stderr",
    logging_collector: "off",
    log_line_prefix: LOG_LINE_PREFIX,
    log_error_verbosity: "terse",
    log_min_error_statement: "panic",
    log_min_messages: "warning",
  };
}
