/** By what others find an inbox: the identifiers among its members. */

import type { AssociationState } from "../../mls/association/types";
import type { Identifier } from "../../store/identity-types";
import { IdentifierKind } from "../../wire/gen/identity/associations/association_pb";

/** Identifiers that came and went between two states of an inbox. */
export function changedIdentifiers(
  before: AssociationState | undefined,
  after: AssociationState,
): { readonly added: readonly Identifier[]; readonly removed: readonly Identifier[] } {
  const [old, now] = [identifiersOf(before), identifiersOf(after)];
  return {
    added: [...now].filter(([name]) => !old.has(name)).map(([, identifier]) => identifier),
    removed: [...old].filter(([name]) => !now.has(name)).map(([, identifier]) => identifier),
  };
}

/** By name. Installations are none: nobody looks for an inbox by them. */
function identifiersOf(state: AssociationState | undefined): ReadonlyMap<string, Identifier> {
  const found = new Map<string, Identifier>();
  for (const { identifier } of state?.members ?? []) {
    if (identifier.kind === "installation") continue;
    const { kind, text }: Identifier =
      identifier.kind === "ethereum"
        ? { kind: IdentifierKind.ETHEREUM, text: identifier.address.toLowerCase() }
        : { kind: IdentifierKind.PASSKEY, text: Buffer.from(identifier.key).toString("hex") };
    found.set(`${kind} ${text}`, { kind, text });
  }
  return found;
}
