import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chainReader } from "../../../src/mls/association/chains";
import type { ContractQuestion } from "../../../src/mls/association/types";

/** What the stub answers to `eth_call`, by the chain's path. */
const ANSWERS: Readonly<Record<string, () => Response>> = {
  "/takes": () => result("0x01"),
  "/refuses": () => result("0x00"),
  "/empty": () => result("0x"),
  "/padded": () => result(`0x${"1".padStart(64, "0")}`),
  "/reverts": () => failure(3, "execution reverted"),
  "/pruned": () => failure(-32_000, "missing trie node"),
  "/limited": () => failure(-32_005, "too many requests"),
  "/broken": () => new Response("a page of some proxy", { status: 502 }),
};
const PATHS = Object.keys(ANSWERS);

interface Call {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

const calls: Call[] = [];
let asked: Call | undefined;

function result(value: string): Response {
  return Response.json({ jsonrpc: "2.0", id: asked?.id, result: value });
}

function failure(code: number, message: string): Response {
  return Response.json({ jsonrpc: "2.0", id: asked?.id, error: { code, message } });
}

let server: Bun.Server<undefined>;
beforeAll(() => {
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const call: Call = JSON.parse(await request.text());
      asked = call;
      calls.push(call);
      if (call.method === "eth_blockNumber") return result("0x64");
      return ANSWERS[new URL(request.url).pathname]?.() ?? failure(-32_601, "no such path");
    },
  });
});
afterAll(() => server.stop(true));

/** Chain n answers as the nth of the paths does. */
function reader() {
  return chainReader(new Map(PATHS.map((path, nth) => [BigInt(nth), new URL(path, server.url).href])));
}

function question(path: string): ContractQuestion {
  return {
    chainId: BigInt(PATHS.indexOf(path)),
    address: `0x${"Ab".repeat(20)}`,
    hash: new Uint8Array(32).fill(0xcd),
    signature: Uint8Array.of(1, 2, 3),
    blockNumber: 7n,
  };
}

describe("a contract wallet", () => {
  test.each([
    ["/takes", true],
    ["/refuses", false],
    ["/empty", false],
    ["/padded", false],
    ["/reverts", false],
  ])("at %s: it takes the signature: %p", async (path, isValid) => {
    const answer = await reader().verifyContractSignature(question(path));
    expect(answer).toEqual({ kind: "answered", isValid, blockNumber: 7n });
  });

  test.each(["/pruned", "/limited", "/broken"])(
    "at %s: it could not be asked, which says nothing of it",
    async (path) => {
      const answer = await reader().verifyContractSignature(question(path));
      expect(answer.kind).toBe("unreachable");
      if (answer.kind !== "unreachable") return;
      expect(answer.message).toStartWith(`chain ${PATHS.indexOf(path)} could not be asked: `);
      expect(answer.message).not.toContain(server.url.host);
    },
  );

  test("is asked about address, digest and signature, at the block that was named", async () => {
    calls.length = 0;
    await reader().verifyContractSignature(question("/takes"));
    expect(calls.map(({ method }) => method)).toEqual(["eth_call"]);
    const [transaction, block] = calls[0]?.params ?? [];
    expect(block).toBe("0x7");
    const data = JSON.stringify(transaction);
    expect(data).toContain("ab".repeat(20));
    expect(data).toContain("cd".repeat(32));
    expect(data).toContain("010203");
    expect(data).not.toContain('"to"');
  });

  test("is asked at the newest block when none was named", async () => {
    calls.length = 0;
    const answer = await reader().verifyContractSignature({ ...question("/takes"), blockNumber: undefined });
    expect(answer).toEqual({ kind: "answered", isValid: true, blockNumber: 100n });
    expect(calls.map(({ method }) => method)).toEqual(["eth_blockNumber", "eth_call"]);
  });
});

test("an endpoint that nobody listens at could not be asked", async () => {
  const unused = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  const url = unused.url.href;
  await unused.stop(true);
  const answer = await chainReader(new Map([[0n, url]])).verifyContractSignature(question("/takes"));
  expect(answer.kind).toBe("unreachable");
});

test("a chain without an endpoint is said to have none, and how to name one", async () => {
  const answer = await chainReader(new Map([[1n, "http://127.0.0.1:1"]])).verifyContractSignature({
    ...question("/takes"),
    chainId: 8453n,
  });
  expect(answer).toEqual({
    kind: "chainNotConfigured",
    message:
      "this node cannot ask contract wallets on chain 8453: it has no RPC endpoint for it (TIDELINE_CHAIN_RPC names 1); its operator can add one",
  });
});
