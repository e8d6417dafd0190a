/** An app on somebody else's SDK, as a test holds it: clients that talk, and streams that are heard. */

import { randomBytes } from "node:crypto";
import { systemClock } from "../../../src/base/clock";
import { PATIENCE_MS, until } from "../../support/until";
import { AppProcess, type Json } from "./app-process";

const ASK_MS = 50;

/** A wallet: the contract's key if a contract is named, else the key itself. */
export interface Wallet {
  readonly key: string;
  readonly contract?: { readonly address: string; readonly chainId: number };
}

/** Options of the SDK, and its workers' intervals, which it takes as bigints. */
export interface ClientOptions {
  /** The file of its database; in memory unless told. */
  readonly dbPath?: string;
  readonly disableDeviceSync?: boolean;
  readonly workerIntervalsMs?: Readonly<Record<string, number>>;
}

/**
 * Otherwise a client soon has a group of its own installations. A client that listens by server streams had better
 * not: it listens anew when it gets a group, and can miss what comes at that moment.
 */
export const GROUPLESS: ClientOptions = { disableDeviceSync: true };

export function newWallet(): Wallet {
  return { key: `0x${randomBytes(32).toString("hex")}` };
}

/** Asks until the answer fits. @throws Error with the last answer, after `withinMs`. */
export async function eventually<T>(
  ask: () => Promise<T>,
  fits: (answer: T) => boolean,
  what: string,
  withinMs = PATIENCE_MS,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (performance.now() > end) throw new Error(`waited ${withinMs} ms for ${what}, last was ${answer}`);
    await systemClock.sleep(ASK_MS);
  }
}

export class App implements AsyncDisposable {
  readonly #process: AppProcess;
  readonly #options: Json;
  #clients = 0;

  /** @param options what every client is made with. */
  constructor(process: AppProcess, options: Json) {
    this.#process = process;
    this.#options = options;
  }

  /** What the SDK complained about on its streams. */
  get streamErrors(): readonly string[] {
    return this.#process.events.filter(({ event }) => event === "stream error").map(({ message }) => String(message));
  }

  /** Makes a client, which registers itself unless the wallet's inbox and its database know it. */
  async client(wallet: Wallet = newWallet(), options: ClientOptions = {}): Promise<AppClient> {
    const name = `client ${++this.#clients}`;
    const args = { client: name, ...wallet, options: { ...this.#options, dbPath: null, ...options } };
    const { inboxId, installationId, address } = await this.#process.call("create", args);
    return new AppClient(this.#process, {
      name,
      wallet,
      address: `${address}`,
      inboxId: `${inboxId}`,
      installationId: `${installationId}`,
    });
  }

  /** The address of a wallet, in small letters. */
  async addressOf(wallet: Wallet): Promise<string> {
    return `${(await this.#process.call("address", { ...wallet }))["address"]}`;
  }

  /** Makes this many clients, one after the other. */
  async clients(count: number, options: ClientOptions = {}): Promise<readonly AppClient[]> {
    const made: AppClient[] = [];
    while (made.length < count) made.push(await this.client(newWallet(), options));
    return made;
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

interface AppClientParts {
  readonly name: string;
  readonly wallet: Wallet;
  readonly address: string;
  readonly inboxId: string;
  readonly installationId: string;
}

export class AppClient {
  readonly wallet: Wallet;
  /** Of its wallet, in small letters. */
  readonly address: string;
  readonly inboxId: string;
  readonly installationId: string;
  readonly #name: string;
  readonly #process: AppProcess;

  constructor(process: AppProcess, { name, wallet, address, inboxId, installationId }: AppClientParts) {
    this.#process = process;
    this.#name = name;
    this.wallet = wallet;
    this.address = address;
    this.inboxId = inboxId;
    this.installationId = installationId;
  }

  /** Which of these addresses have an inbox, by address in small letters. */
  async canMessage(addresses: readonly string[]): Promise<Json> {
    return await this.#call("canMessage", { addresses });
  }

  /** Opens a conversation with one other. Returns its id. */
  async dm(peer: { readonly inboxId: string }): Promise<string> {
    return `${(await this.#call("dm", { inboxId: peer.inboxId }))["conversation"]}`;
  }

  /** Makes a group with these members besides ourselves. Returns its id. */
  async group(members: readonly { readonly inboxId: string }[]): Promise<string> {
    return `${(await this.#call("group", { inboxIds: members.map(({ inboxId }) => inboxId) }))["conversation"]}`;
  }

  async addMembers(conversation: string, members: readonly { readonly inboxId: string }[]): Promise<void> {
    await this.#call("addMembers", { conversation, inboxIds: members.map(({ inboxId }) => inboxId) });
  }

  async members(
    conversation: string,
  ): Promise<readonly { readonly inboxId: string; readonly installations: number }[]> {
    return listOf(await this.#call("members", { conversation })).map((member) => ({
      inboxId: `${fieldOf(member, "inboxId")}`,
      installations: Number(fieldOf(member, "installations")),
    }));
  }

  /** Sends texts one after the other. */
  async send(conversation: string, ...texts: readonly string[]): Promise<void> {
    await this.#call("send", { conversation, texts });
  }

  /** Syncs welcomes and all conversations. */
  async sync(): Promise<void> {
    await this.#call("syncAll", {});
  }

  /** Ids of the conversations it knows of. */
  async conversations(): Promise<readonly string[]> {
    return listOf(await this.#call("conversations", {})).map(String);
  }

  /** Texts of a conversation as far as it is synced, oldest first. */
  async texts(conversation: string): Promise<readonly string[]> {
    return listOf(await this.#call("texts", { conversation })).map(String);
  }

  /** Hears all messages from now on. */
  async listen(options: Json = {}): Promise<HeardStream> {
    const { stream } = await this.#call("streamAll", { options });
    return new HeardStream(this.#process, Number(stream));
  }

  /** Hears of new conversations from now on. */
  async listenForConversations(): Promise<HeardStream> {
    const { stream } = await this.#call("streamConversations", {});
    return new HeardStream(this.#process, Number(stream));
  }

  /** What the network knows of its inbox. */
  async inbox(): Promise<{ readonly accounts: readonly string[]; readonly installations: readonly string[] }> {
    const { accounts, installations } = await this.#call("inbox", {});
    return { accounts: listOf(accounts).map(String), installations: listOf(installations).map(String) };
  }

  async addAccount(wallet: Wallet): Promise<void> {
    await this.#call("addAccount", { ...wallet });
  }

  async removeAccount(address: string): Promise<void> {
    await this.#call("removeAccount", { address });
  }

  async changeRecovery(address: string): Promise<void> {
    await this.#call("changeRecovery", { address });
  }

  async revoke(installationIds: readonly string[]): Promise<void> {
    await this.#call("revoke", { installationIds });
  }

  /** What the SDK thinks of the newest key package of an installation: since when it is valid, or why it is not. */
  async keyPackage(installationId: string): Promise<string> {
    return `${(await this.#call("keyPackages", { installationIds: [installationId] }))[installationId]}`;
  }

  async close(): Promise<void> {
    await this.#call("close", {});
  }

  async #call(operation: string, args: Json): Promise<Json> {
    return await this.#process.call(operation, { client: this.#name, ...args });
  }
}

/** A stream of an SDK and what has come of it. */
export class HeardStream {
  readonly #process: AppProcess;
  readonly #number: number;

  constructor(process: AppProcess, number: number) {
    this.#process = process;
    this.#number = number;
  }

  /** Texts in the order in which they came, duplicates too. */
  get texts(): readonly string[] {
    return this.#told("text").map(({ text }) => `${text}`);
  }

  /** Waits until a conversation has been announced. */
  async heardOf(conversation: string): Promise<void> {
    const isThere = () => this.#told("conversation").some((told) => told["conversation"] === conversation);
    await until(isThere, `conversation ${conversation}`);
  }

  /** Waits until this many texts have come. @throws Error with what came, after `withinMs`. */
  async heard(count: number, withinMs = PATIENCE_MS): Promise<readonly string[]> {
    try {
      await until(() => this.texts.length >= count, `${count} texts`, withinMs);
    } catch (error) {
      throw new Error(`heard ${this.texts.length} of ${count} texts: ${this.texts.slice(-20).join(", ")}`, {
        cause: error,
      });
    }
    return this.texts;
  }

  async end(): Promise<void> {
    await this.#process.call("endStream", { stream: this.#number });
  }

  #told(kind: string): readonly Json[] {
    return this.#process.events.filter(({ event, stream }) => event === kind && stream === this.#number);
  }
}

export interface NodeAppOptions {
  readonly url: string;
  /** Whether its streams are Subscribe streams. */
  readonly bidi: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** An app on the Node SDK. */
export function nodeApp({ url, bidi, env = {} }: NodeAppOptions): App {
  const all = bidi ? { ...env, XMTP_BIDI_STREAMS_ENABLED: "1" } : env;
  return new App(new AppProcess("node-app.mjs", ["@xmtp/node-sdk"], all), {
    env: "local",
    apiUrl: url,
    historySyncUrl: null,
  });
}

/** An app on the bindings of the browser SDK, by gRPC-Web. */
export function wasmApp({ webUrl }: { readonly webUrl: string }): App {
  return new App(new AppProcess("node-app.mjs", ["./wasm-sdk.mjs"]), { apiUrl: webUrl });
}

function listOf(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`wanted a list, found ${JSON.stringify(value)}`);
  return value;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
