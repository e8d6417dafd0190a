/** The RPCs of MlsApi for key packages: what others need to add an installation to a group. */

import type { Clock } from "../../base/clock";
import type { CountBy } from "../../base/metrics-maker";
import { checkKeyPackage } from "../../mls/key-package";
import type { KeyPackages } from "../../store/identity-types";
import type {
  FetchKeyPackagesRequest,
  FetchKeyPackagesResponse,
  UploadKeyPackageRequest,
} from "../../wire/gen/mls/api/v1/mls_pb";
import { keyPackagesResponse } from "../../wire/identity";
import { empty } from "../../wire/unary";
import { invalidArgument } from "../errors";
import { checkAnswer, checkCount, checkIdentifier } from "./checks";

/** What key packages take. */
export interface KeyPackageDeps {
  readonly packages: KeyPackages;
  /** By what came of each package. */
  readonly outcomes: CountBy;
  readonly clock: Pick<Clock, "wallNs">;
}

/** Bytes of a key package. Those of SDKs have about 1 600. */
export const MAX_KEY_PACKAGE_BYTES = 16_384;
/** Installations that one FetchKeyPackages may name: all members of a large group. */
export const MAX_FETCHED_PACKAGES = 5_000;
/** So many of the largest are read before it is seen whether that is too much. */
const FETCHED_AT_ONCE = 1_000;

/**
 * Keeps a key package, in place of the one that its installation had. The installation is read out of the package,
 * which it has signed: nobody can replace another's.
 * @throws ConnectError that names the rule; StoreError
 */
export async function uploadKeyPackage(
  { packages, outcomes, clock }: KeyPackageDeps,
  request: UploadKeyPackageRequest,
) {
  const field = "key_package.key_package_tls_serialized";
  const data = request.keyPackage?.keyPackageTlsSerialized ?? new Uint8Array();
  if (data.length === 0 || data.length > MAX_KEY_PACKAGE_BYTES) {
    throw invalidArgument(`${field}: wanted 1 to ${MAX_KEY_PACKAGE_BYTES} bytes, found ${data.length}`);
  }
  const checked = await checkKeyPackage(data, Number(clock.wallNs() / 1_000_000n));
  if (checked.kind === "invalid") {
    outcomes.add(checked.rule);
    throw invalidArgument(`${field}: ${checked.message}`);
  }
  await packages.put(checked.installationKey, data);
  outcomes.add("stored");
  return empty();
}

/** The newest key package of each installation, in the order asked, empty where there is none. @throws ConnectError, StoreError */
export async function fetchKeyPackages(
  { packages }: KeyPackageDeps,
  { installationKeys }: FetchKeyPackagesRequest,
): Promise<FetchKeyPackagesResponse> {
  checkCount("installation_keys", "installations", installationKeys.length, MAX_FETCHED_PACKAGES);
  installationKeys.forEach((key, nth) => {
    checkIdentifier(`installation_keys[${nth}]`, key);
  });
  const found: (Uint8Array | undefined)[] = [];
  for (let from = 0; from < installationKeys.length; from += FETCHED_AT_ONCE) {
    found.push(...(await packages.newest(installationKeys.slice(from, from + FETCHED_AT_ONCE))));
    const bodies = found.flatMap((body) => (body === undefined ? [] : [{ body }]));
    checkAnswer(
      "installation_keys: wanted packages",
      `these ${installationKeys.length} installations; name fewer`,
      bodies,
    );
  }
  return keyPackagesResponse(found);
}
