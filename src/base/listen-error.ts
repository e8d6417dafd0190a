import type { ListenAddress } from "./args-values";
import { codeOf, messageOf } from "./thrown";

/** A port that could not be opened. */
export interface UnopenedPort extends ListenAddress {
  /** What it is for, as in "web port". */
  readonly name: string;
  /** The variable that says where it is. */
  readonly setting: string;
}

/** Why nothing listens there, and what to do about it. */
export function listenError({ name, host, port, setting }: UnopenedPort, thrown: unknown): Error {
  return new Error(`the ${name} ${host}:${port} cannot be listened on: ${reasonOf(thrown, setting)}`, {
    cause: thrown,
  });
}

function reasonOf(thrown: unknown, setting: string): string {
  switch (codeOf(thrown)) {
    case "EADDRINUSE":
      return `another program has it; stop that one, or set ${setting}`;
    case "EACCES":
      return `it takes more rights; set ${setting} to a port above 1023`;
    case "EADDRNOTAVAIL":
      return `it is no address of this machine; set ${setting} to one that is, or to 0.0.0.0 for all of them`;
    default:
      return `${messageOf(thrown)}; correct that, or set ${setting}`;
  }
}
