import type { Fault } from "./refusal";
import type { MemberIdentifier } from "./types";

/** What comes of verifying one signature. */
export type Outcome =
  | {
      readonly kind: "signed";
      readonly signer: MemberIdentifier;
      /** Of a contract wallet. */
      readonly chainId?: bigint;
      /**
       * Its bytes as clients remember them, and what of them nobody can bend without the key, if that is less: neither
       * another encoding nor the other sign of s makes a signature a new one.
       */
      readonly remembered: readonly Uint8Array[];
    }
  | Fault
  | { readonly kind: "unavailable"; readonly words: string };
