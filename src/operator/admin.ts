/**
 * The admin port: is the node alive, is it ready, what has it counted. For whoever runs the node, not for the
 * public.
 */

import { listenError } from "../base/listen-error";
import type { Metrics } from "../base/metrics";
import type { ShownStreams } from "./streams";

/** What a node needs before it is ready. */
export interface Readiness {
  /** The database has the schema of this program. */
  readonly migrated: boolean;
  /** The store was read once, and can be read. */
  readonly lookedOnce: boolean;
  /** `polling`: by configuration, which is fine. `deaf`: notifications are wanted and do not come. */
  readonly notifications: "listening" | "polling" | "deaf";
  /** How messages of the node's own come through; `undefined`: by configuration there are none. */
  readonly canary: CanaryReadiness | undefined;
}

export interface CanaryReadiness {
  /** Milliseconds since one came through, and how long that may be. */
  readonly silentMs: number;
  readonly limitMs: number;
  /** How long the last one took, in milliseconds; `undefined` if none has come through yet. */
  readonly lastMs: number | undefined;
  /** The database is a standby: none is sent. */
  readonly isStandby: boolean;
}

export interface AdminOptions {
  readonly host: string;
  /** 0: any that is free. */
  readonly port: number;
  /** Asked for each /readyz; `undefined` while the node is still being put together. */
  readonly readiness: () => Readiness | undefined;
  /** Asked for each /streams. */
  readonly streams: () => Promise<ShownStreams>;
  readonly metrics: Pick<Metrics, "contentType"> & { render(): Promise<string> };
}

/** An admin port that is listened on. */
export interface AdminServer extends AsyncDisposable {
  readonly address: { readonly host: string; readonly port: number };
}

/**
 * Listens on the admin port: /livez, /readyz (also for publishers alone), /metrics, /streams, and / to say so.
 * @throws Error that says what to do when the address cannot be listened on.
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { host } = options;
  const server = listen(options);
  return {
    address: { host, port: server.port ?? options.port },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

/** What is still missing, in words; empty if the node is ready. On a standby it is ready for all but publishers. */
export function missing(readiness: Readiness | undefined): readonly string[] {
  if (readiness === undefined) return ["the node is starting"];
  const words: string[] = [];
  if (!readiness.migrated) words.push("the database is not migrated");
  if (!readiness.lookedOnce) words.push("the store has not been looked at");
  if (readiness.notifications === "deaf") words.push("notifications of the database do not arrive");
  if (readiness.canary !== undefined) words.push(...missingOf(readiness.canary));
  return words;
}

/** The same for publishers. */
export function missingToPublish(readiness: Readiness | undefined): readonly string[] {
  const isStandby = readiness?.canary?.isStandby === true;
  return [...missing(readiness), ...(isStandby ? ["the database is a standby, which takes no messages"] : [])];
}

function missingOf({ silentMs, limitMs, lastMs, isStandby }: CanaryReadiness): readonly string[] {
  if (silentMs > limitMs) {
    const why = isStandby ? ": the database is a standby now" : "";
    return [`no canary has come through for ${silentMs} ms; ${limitMs} are allowed${why}`];
  }
  return lastMs === undefined && !isStandby ? ["no canary has come through yet"] : [];
}

function listen(options: AdminOptions) {
  const { host, port } = options;
  try {
    return Bun.serve({
      hostname: host,
      port,
      fetch: (request) => answer(request, options),
      error: () => text(500, "internal error"),
    });
  } catch (error) {
    throw listenError({ name: "admin port", host, port, setting: "TIDELINE_ADMIN_LISTEN" }, error);
  }
}

async function answer(request: Request, { readiness, metrics, streams }: AdminOptions): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(405, `${pathname} is read by GET, not ${request.method}`, { allow: "GET, HEAD" });
  }
  switch (pathname) {
    case "/livez":
      return text(200, "alive");
    case "/readyz":
      return ready(readiness(), missing);
    case "/readyz/publishing":
      return ready(readiness(), missingToPublish);
    case "/metrics":
      return new Response(await metrics.render(), { headers: { "content-type": metrics.contentType, ...NO_STORE } });
    case "/streams":
      return Response.json(await streams(), { headers: NO_STORE });
    case "/":
      return text(200, PAGES.map(([path, sentence]) => `${path.padEnd(20)}${sentence}`).join("\n"));
    default:
      return text(404, `there is ${PAGES.map(([path]) => path).join(", ")}`);
  }
}

/** `decides`: whose answer the status is. */
function ready(readiness: Readiness | undefined, decides: typeof missing): Response {
  const publishing = verdict(missingToPublish(readiness));
  const body = { ...verdict(missing(readiness)), publishing, ...readiness };
  return Response.json(body, { status: decides(readiness).length === 0 ? 200 : 503, headers: NO_STORE });
}

function verdict(lacks: readonly string[]) {
  return { ready: lacks.length === 0, missing: lacks };
}

/** What / says of the others. */
const PAGES = [
  ["/livez", "Whether the process runs: then 200."],
  ["/readyz", "Whether clients may come: 200, or 503 and what is missing, as JSON."],
  ["/readyz/publishing", "Whether publishers may come, too: the same, but 503 on a standby."],
  ["/metrics", "What was counted and measured since the start, for Prometheus."],
  ["/streams", "How many streams are open, and the hundred that are furthest behind with their accounts, as JSON."],
] as const;

const NO_STORE = { "cache-control": "no-store" };

function text(status: number, words: string, headers: Readonly<Record<string, string>> = {}): Response {
  const type = "text/plain; charset=utf-8";
  return new Response(`${words}\n`, { status, headers: { "content-type": type, ...NO_STORE, ...headers } });
}
