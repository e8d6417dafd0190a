/** Somebody who speaks to a node without an SDK, and wishes nobody well. */

import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { IdentityApi } from "../../../src/wire/gen/identity/api/v1/identity_pb";
import type { IdentityUpdate } from "../../../src/wire/gen/identity/associations/association_pb";
import { MlsApi } from "../../../src/wire/gen/mls/api/v1/mls_pb";

/** How a node refused, as the caller is told: the code's name and the words. */
export interface Refused {
  readonly code: string;
  readonly words: string;
}

type Bytes = Uint8Array<ArrayBuffer>;

export class Attacker {
  readonly identity: Client<typeof IdentityApi>;
  readonly mls: Client<typeof MlsApi>;

  constructor(url: string) {
    const transport = createGrpcTransport({ baseUrl: url });
    this.identity = createClient(IdentityApi, transport);
    this.mls = createClient(MlsApi, transport);
  }

  /** Everything that an inbox's log holds: it is public. */
  async updatesOf(inboxId: string): Promise<readonly IdentityUpdate[]> {
    const { responses } = await this.identity.getIdentityUpdates({ requests: [{ inboxId }] });
    return (responses[0]?.updates ?? []).flatMap(({ update }) => (update === undefined ? [] : [update]));
  }

  /** The newest key package of an installation: they are public too. */
  async keyPackageOf(installationId: string): Promise<Bytes> {
    const { keyPackages } = await this.mls.fetchKeyPackages({ installationKeys: [hexBytes(installationId)] });
    const found = keyPackages[0]?.keyPackageTlsSerialized;
    if (found === undefined || found.length === 0) throw new Error(`no key package of ${installationId}`);
    return Uint8Array.from(found);
  }

  /** What was sent to a group, oldest first, as it lies in the store. */
  async messagesOf(groupId: string): Promise<readonly Bytes[]> {
    const pagingInfo = { direction: 1, limit: 100 } as const;
    const { messages } = await this.mls.queryGroupMessages({ groupId: hexBytes(groupId), pagingInfo });
    return messages.flatMap(({ version }) => (version.case === "v1" ? [Uint8Array.from(version.value.data)] : []));
  }

  async publishUpdate(identityUpdate: IdentityUpdate): Promise<Refused | undefined> {
    return await refusalOf(this.identity.publishIdentityUpdate({ identityUpdate }));
  }

  async uploadKeyPackage(keyPackageTlsSerialized: Uint8Array): Promise<Refused | undefined> {
    const keyPackage = { keyPackageTlsSerialized: Uint8Array.from(keyPackageTlsSerialized) };
    return await refusalOf(this.mls.uploadKeyPackage({ keyPackage, isInboxIdCredential: true }));
  }

  async sendToGroup(...messages: readonly Uint8Array[]): Promise<Refused | undefined> {
    const inputs = messages.map(
      (data) => ({ version: { case: "v1", value: { data: Uint8Array.from(data) } } }) as const,
    );
    return await refusalOf(this.mls.sendGroupMessages({ messages: inputs }));
  }

  /** Sends a welcome with nothing in it that makes sense, unless told what is. */
  async sendWelcome(installationId: string, data: Bytes, hpkePublicKey: Bytes): Promise<Refused | undefined> {
    const value = { installationKey: hexBytes(installationId), data, hpkePublicKey, wrapperAlgorithm: 1 } as const;
    return await refusalOf(this.mls.sendWelcomeMessages({ messages: [{ version: { case: "v1", value } }] }));
  }
}

export function hexBytes(hex: string): Bytes {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

/** How a call was refused; `undefined` if it was not. @throws what is not a refusal. */
async function refusalOf(call: Promise<unknown>): Promise<Refused | undefined> {
  try {
    await call;
    return undefined;
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return { code: Code[error.code], words: error.rawMessage };
  }
}
