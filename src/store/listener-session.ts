/** One session that listens, from its connection to its loss. */

import { connect, type Socket } from "node:net";
import postgres, { type Options, type PostgresType, type Sql } from "postgres";
import type { Clock } from "../base/clock";
import { KINDS } from "../core/topic";
import { toStoreError } from "./sql-errors";
import { type DatabaseTarget, postgresJsOptions } from "./target";
import type { Newest } from "./types";

/** The channel on which `append_in_runs` tells of commits; see migrations/. */
const CHANNEL = "tideline";

export interface SessionOptions {
  readonly clock: Clock;
  /** Ends the session. */
  readonly signal: AbortSignal;
  /** See ListenerOptions. */
  readonly canaryMs: number;
  readonly deafMs: number;
  readonly openMs: number;
  readonly onNotify: (newest?: Newest) => void;
  /** From now on notifications are sent to us. */
  readonly onListen: () => void;
  /** The first canary came back: they do reach us. Behind a transaction pooler this never happens. */
  readonly onHearing: () => void;
}

/** What the driver takes besides its declared options; its own `listen` is made of the first. */
interface UndeclaredOptions {
  readonly onnotify: (channel: string, payload: string) => void;
  /** Gives a socket that is connected. */
  readonly socket: () => Promise<Socket>;
}

/**
 * Owns one connection. The driver's own `listen` is not used: it opens a lost connection anew by itself, and
 * would not tell us, nor notice one that is silent.
 */
export class ListeningSession {
  readonly #target: DatabaseTarget;
  readonly #options: SessionOptions;
  /** Known to this session only: a late canary of an earlier one is not taken for ours. */
  readonly #canaryChannel = `tideline_canary_${crypto.randomUUID().replaceAll("-", "")}`;
  readonly #lost = Promise.withResolvers<string>();
  #over = false;
  #socket: Socket | undefined;
  #timer: Disposable | undefined;
  /** When the canary left that has not come back yet. */
  #askedAt: number | undefined;
  #hearing = false;

  constructor(target: DatabaseTarget, options: SessionOptions) {
    this.#target = target;
    this.#options = options;
  }

  /** Connects, listens, and resolves with the reason when the session is lost. To be called once. */
  async run(): Promise<string> {
    const { clock, signal, openMs } = this.#options;
    const stop = () => this.#lose("stopped");
    signal.addEventListener("abort", stop, { once: true });
    this.#timer = clock.after(openMs, () => this.#lose(`no session within ${openMs} ms`));
    const sql = postgres(this.#driverOptions());
    this.#listen(sql).catch((error: unknown) => this.#lose(toStoreError(error, "LISTEN failed").message));
    try {
      return await this.#lost.promise;
    } finally {
      signal.removeEventListener("abort", stop);
      this.#timer[Symbol.dispose]();
      // The driver would say goodbye and wait for an answer; a dead peer gives none.
      this.#socket?.destroy();
      await sql.end({ timeout: 0 });
    }
  }

  async #listen(sql: Sql<{ bigint: bigint }>): Promise<void> {
    // A canary that commits asynchronously costs the database no write to disk.
    await sql.unsafe(`SET synchronous_commit = off; LISTEN ${CHANNEL}; LISTEN ${this.#canaryChannel}`).simple();
    if (this.#over) return;
    this.#options.onListen();
    this.#sendCanary(sql);
  }

  /** Sends a canary unless one is under way, and comes back after `canaryMs`. */
  #sendCanary(sql: Sql<{ bigint: bigint }>): void {
    const { clock, canaryMs, deafMs } = this.#options;
    if (this.#over) return;
    const now = clock.now();
    if (this.#askedAt !== undefined && now - this.#askedAt >= deafMs) {
      this.#lose(`deaf: no notification for ${Math.round(now - this.#askedAt)} ms`);
      return;
    }
    if (this.#askedAt === undefined) {
      this.#askedAt = now;
      sql
        .unsafe(`NOTIFY ${this.#canaryChannel}`)
        .simple()
        .catch((error: unknown) => this.#lose(toStoreError(error, "NOTIFY failed").message));
    }
    this.#timer?.[Symbol.dispose]();
    this.#timer = clock.after(canaryMs, () => this.#sendCanary(sql));
  }

  #heard(channel: string, payload: string): void {
    if (this.#over) return;
    if (channel === CHANNEL) {
      this.#options.onNotify(parseNewest(payload));
      return;
    }
    this.#askedAt = undefined;
    if (this.#hearing) return;
    this.#hearing = true;
    this.#options.onHearing();
  }

  #lose(reason: string): void {
    this.#over = true;
    this.#lost.resolve(reason);
  }

  #driverOptions(): Options<{ bigint: PostgresType<bigint> }> & UndeclaredOptions {
    const { openMs } = this.#options;
    return {
      ...postgresJsOptions(this.#target, { connections: 1, applicationName: "tideline listener", connectMs: openMs }),
      idle_timeout: 0,
      max_lifetime: null,
      socket: () => this.#connect(),
      onclose: () => this.#lose("the connection was lost"),
      onnotify: (channel, payload) => this.#heard(channel, payload),
    };
  }

  /** A socket that is ours to destroy. */
  #connect(): Promise<Socket> {
    const { address } = this.#target;
    const socket =
      address.kind === "socket"
        ? connect(`${address.directory}/.s.PGSQL.${address.port}`)
        : connect(address.port, address.host);
    this.#socket = socket;
    // The driver names the server in its TLS greeting by this property.
    const named = Object.assign(socket, address.kind === "tcp" ? { host: address.host, port: address.port } : {});
    return new Promise((resolve, reject) => {
      // Stays: an error that nobody listens for would end the process.
      socket.on("error", reject);
      socket.once("connect", () => resolve(named));
      // Destroyed by ourselves before it was connected.
      socket.once("close", () => reject(new Error("closed before it was connected")));
    });
  }
}

/** What `append_in_runs` says: `<kind>:<newest id>`. */
function parseNewest(payload: string): Newest | undefined {
  const [, digit, id] = /^(\d):(\d{1,19})$/.exec(payload) ?? [];
  const kind = KINDS.find((known) => `${known}` === digit);
  return kind === undefined || id === undefined ? undefined : { kind, id: BigInt(id) };
}
