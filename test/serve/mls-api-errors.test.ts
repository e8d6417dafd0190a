import { expect, test } from "bun:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { RESUMABLE, statusName } from "../../src/core/connection/status";
import {
  codeName,
  errorOfStatus,
  OK,
  STATUS,
  statusOfClose,
  statusOfError,
  toConnectError,
} from "../../src/serve/errors";
import { StoreError } from "../../src/store/error";

const REASONS = [
  "finished",
  "cancelled",
  "badRequest",
  "overLimit",
  "stalled",
  "noPong",
  "replayFailed",
  "shutdown",
] as const satisfies readonly (keyof typeof STATUS)[];

test("every reason has the status of the protocol's table (R-43, R-45, R-49)", () => {
  const codes = REASONS.map((reason) => statusOfClose({ reason, detail: "why" }).code);
  expect(codes).toEqual([
    OK,
    Code.Canceled,
    Code.InvalidArgument,
    Code.ResourceExhausted,
    Code.Aborted,
    Code.DeadlineExceeded,
    Code.Unavailable,
    Code.Unavailable,
  ]);
  expect(Object.keys(STATUS)).toEqual([...REASONS]);
});

test("what we call resumable is what the client's twin takes for it (C-3)", () => {
  for (const reason of REASONS) {
    // A client that is told OK without having asked for it tries again; one that asked for it has what it wanted.
    if (reason === "finished") continue;
    const { code, resumable } = STATUS[reason];
    expect([reason, RESUMABLE[statusName(code)]]).toEqual([reason, resumable]);
  }
});

test("a good end is no error, any other carries its words", () => {
  expect(errorOfStatus({ code: OK, message: "" })).toBeUndefined();
  const error = errorOfStatus({ code: Code.Aborted, message: "took nothing for 60 s" });
  expect([error?.code, error?.rawMessage]).toEqual([Code.Aborted, "took nothing for 60 s"]);
});

test("an error is told once, by its own code; what nobody foresaw says nothing", () => {
  const told = new ConnectError("mine", Code.NotFound);
  expect(toConnectError(told)).toBe(told);
  expect(statusOfError(new StoreError("full", "10 000 messages wait"))).toEqual({
    code: Code.ResourceExhausted,
    message: "10 000 messages wait",
  });
  for (const odd of [new Error("secret"), "secret", undefined]) {
    expect(statusOfError(odd)).toEqual({ code: Code.Internal, message: "internal error" });
  }
});

test("codes are spelled as Connect spells them", () => {
  expect([Code.Canceled, Code.InvalidArgument, Code.Unimplemented].map(codeName)).toEqual([
    "canceled",
    "invalid_argument",
    "unimplemented",
  ]);
});
