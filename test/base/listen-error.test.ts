import { expect, test } from "bun:test";
import { listenError } from "../../src/base/listen-error";

const PORT = { name: "gRPC port", host: "127.0.0.1", port: 5556, setting: "TIDELINE_GRPC_LISTEN" };

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program has it; stop that one, or set TIDELINE_GRPC_LISTEN",
  EACCES: "it takes more rights; set TIDELINE_GRPC_LISTEN to a port above 1023",
  EADDRNOTAVAIL:
    "it is no address of this machine; set TIDELINE_GRPC_LISTEN to one that is, or to 0.0.0.0 for all of them",
};

for (const [code, reason] of Object.entries(REASONS)) {
  test(`a port that cannot be opened (${code}) says why, and what to do`, () => {
    const cause = Object.assign(new Error("listen failed"), { code });
    const { message, cause: kept } = listenError(PORT, cause);
    expect(message).toBe(`the gRPC port 127.0.0.1:5556 cannot be listened on: ${reason}`);
    expect(kept).toBe(cause);
  });
}

test("whatever else keeps a port from being opened is told in the system's words, with the setting", () => {
  const { message } = listenError(PORT, new Error("Failed to listen at nosuch.host"));
  expect(message).toEndWith("Failed to listen at nosuch.host; correct that, or set TIDELINE_GRPC_LISTEN");
});
