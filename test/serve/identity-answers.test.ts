import { expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { systemClock } from "../../src/base/clock";
import { getIdentityUpdates } from "../../src/serve/api/identity";
import { fetchKeyPackages, MAX_KEY_PACKAGE_BYTES } from "../../src/serve/api/key-packages";
import { GetIdentityUpdatesRequestSchema } from "../../src/wire/gen/identity/api/v1/identity_pb";
import { FetchKeyPackagesRequestSchema } from "../../src/wire/gen/mls/api/v1/mls_pb";
import { failure } from "../support/failure";
import { MemoryIdentityLog, MemoryKeyPackages, memoryIdentityDeps } from "../support/memory-identity";

test("more updates than clients can receive are RESOURCE_EXHAUSTED, and the words say what to do", async () => {
  const log = new MemoryIdentityLog(systemClock);
  const requests = ["a", "b"].map((letter) => ({ inboxId: letter.repeat(64) }));
  for (const { inboxId } of requests) {
    const body = new Uint8Array(14 << 20);
    await log.append({ inboxId, judgedBy: 0n, body, state: body.subarray(0, 1), added: [], removed: [] });
  }
  const request = create(GetIdentityUpdatesRequestSchema, { requests });
  expect(await failure(getIdentityUpdates({ ...memoryIdentityDeps(systemClock).identity, log }, request))).toEqual([
    "ResourceExhausted",
    "requests: wanted updates of at most 26148864 bytes together, found more in these 2 inboxes; name fewer",
  ]);
});

test("more key packages than clients can receive are RESOURCE_EXHAUSTED, and the words say what to do", async () => {
  const packages = new MemoryKeyPackages();
  const key = Uint8Array.of(1);
  await packages.put(key, new Uint8Array(MAX_KEY_PACKAGE_BYTES));
  const installationKeys = Array.from({ length: 1_600 }, () => key);
  const request = create(FetchKeyPackagesRequestSchema, { installationKeys });
  expect(
    await failure(fetchKeyPackages({ ...memoryIdentityDeps(systemClock).keyPackages, packages }, request)),
  ).toEqual([
    "ResourceExhausted",
    "installation_keys: wanted packages of at most 26148864 bytes together, found more in these 1600 installations; name fewer",
  ]);
});
