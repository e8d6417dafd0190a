import { listenAddress } from "../base/args-values";
import { CLIENT_SETTINGS } from "../base/config";
import type { Logger } from "../base/log";
import type { Io } from "../base/process";
import { VERSION } from "../base/version";
import { isBundled } from "../store/embedded/bundled";
import { describeTarget } from "../store/target";
import type { ServingNode } from "./node";

/** Says where the node is to be found and, to a person, what to try next. */
export function announce(
  { grpc, web, admin, database, tls }: ServingNode,
  { log, io, worker }: { readonly log: Logger; readonly io: Io; readonly worker: boolean },
): void {
  const show = listenAddress.show;
  const socketDir = database.address.kind === "socket" ? database.address.directory : undefined;
  log.info(worker ? "worker serving" : "serving", {
    version: VERSION,
    grpc: show(grpc),
    web: web && show(web),
    admin: admin && show(admin),
    tls,
    database: describeTarget(database),
    databaseDir: socketDir,
  });
  if (worker || !io.stderr.isTerminal) return;
  const program = isBundled ? process.execPath : "npx -y bun@1.4.5 run tideline";
  const scheme = tls ? "https" : "http";
  const known = !tls && show(grpc) === CLIENT_SETTINGS.address.default;
  const address = known ? "" : ` --address ${tls ? "https://" : ""}${show(grpc)}`;
  io.stderr.write(
    [
      "",
      `  tideline ${VERSION} serves`,
      `    gRPC                 ${tls ? "https://" : ""}${show(grpc)}`,
      `    gRPC-Web, Connect    ${web === undefined ? "off" : `${scheme}://${show(web)}`}`,
      `    health, metrics      ${admin === undefined ? "off" : `http://${show(admin)}/readyz`}`,
      "",
      "  Try, in two other terminals:",
      `    ${program} tail group:demo${address}`,
      `    ${program} publish --group demo "hello, tide"${address}`,
      "",
      "",
    ].join("\n"),
  );
}
