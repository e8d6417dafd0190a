import { describe, expect, test } from "bun:test";
import { SQL } from "bun";
import { DrizzleQueryError } from "drizzle-orm";
import { StoreError } from "../../src/store/error";
import { type RetryHost, retrying } from "../../src/store/retry";
import { AnswerOverdue, diagnose, toStoreError } from "../../src/store/sql-errors";
import { VirtualClock } from "../support/virtual-clock";
import { rejection } from "./store-fixtures";

/** An error of the server as Bun.sql throws it. */
function serverError(sqlState: string, message = "said by the server"): SQL.PostgresError {
  return new SQL.PostgresError(message, { code: "ERR_POSTGRES_SERVER_ERROR", errno: sqlState });
}

const LOST = new SQL.PostgresError("Connection closed", { code: "ERR_POSTGRES_CONNECTION_CLOSED" });

function harness(random = 0.5) {
  const clock = new VirtualClock();
  const closing = new AbortController();
  const story: string[] = [];
  const host: RetryHost = {
    clock,
    policy: { totalMs: 1_000, firstPauseMs: 20, maxPauseMs: 200 },
    random: () => random,
    onFailure: () => story.push(`failed at ${clock.now()}`),
    onSuccess: () => story.push(`answered at ${clock.now()}`),
    signal: closing.signal,
  };
  return { clock, closing, story, host };
}

describe("repetition", () => {
  test("an answer at once costs no pause", async () => {
    const { host, story, clock } = harness();
    expect(await retrying(host, "a question", async () => 7)).toBe(7);
    expect(story).toEqual(["answered at 0"]);
    expect(clock.armed).toBe(0);
  });

  test("what passes is repeated after pauses that double up to their bound", async () => {
    const { host, story, clock } = harness();
    let left = 6;
    const answer = retrying(host, "a question", async () => {
      if (left-- > 0) throw LOST;
      return "here";
    });
    await clock.advanceAsync(2_000);
    expect(await answer).toBe("here");
    expect(story).toEqual([0, 10, 30, 70, 150, 250].map((at) => `failed at ${at}`).concat("answered at 350"));
  });

  test("what does not pass is given up when its time is over, counted from the first time that nobody was there", async () => {
    const { host, story, clock } = harness();
    const error = rejection(
      retrying(host, "a question was not answered", async () => {
        await clock.sleep(300);
        throw LOST;
      }),
    );
    await clock.advanceAsync(10_000);
    expect(await error).toMatchObject({ fault: "unreachable", retryable: true });
    expect(story).toEqual(["failed at 300", "failed at 610", "failed at 930", "failed at 1270"]);
    expect(clock.armed).toBe(0);
  });

  test("a server that was there all the time and did not get it done has used the time up: it is not asked again", async () => {
    const { host, story, clock } = harness();
    const error = rejection(
      retrying(host, "a message could not be stored", async () => {
        await clock.sleep(10_000);
        throw serverError("57014"); // a statement that took too long, as behind a lock
      }),
    );
    await clock.advanceAsync(60_000);
    expect(await error).toMatchObject({ fault: "unreachable", retryable: true });
    expect(story).toEqual(["failed at 10000"]);
  });

  test("what would fail again is not repeated", async () => {
    const { host, story } = harness();
    const error = await rejection(
      retrying(host, "a message could not be stored", () => Promise.reject(serverError("23514"))),
    );
    expect(error).toMatchObject({ fault: "refused", retryable: false });
    expect(story).toEqual(["failed at 0"]);
  });

  test("nothing is repeated once the store is closing, not even in mid-pause", async () => {
    const { host, story, clock, closing } = harness();
    const error = rejection(retrying(host, "a question", () => Promise.reject(LOST)));
    await clock.advanceAsync(5);
    closing.abort();
    expect(await error).toMatchObject({ fault: "unreachable" });
    expect(await rejection(retrying(host, "a question", () => Promise.reject(LOST)))).toMatchObject({
      fault: "unreachable",
    });
    expect(story).toEqual(["failed at 0", "failed at 5"]);
    expect(clock.armed).toBe(0);
  });
});

describe("diagnosis", () => {
  test.each([
    ["40001", "repeat", "unreachable"],
    ["40P01", "repeat", "unreachable"],
    ["53300", "repeat", "unreachable"],
    ["55P03", "repeat", "unreachable"],
    ["57014", "repeat", "unreachable"],
    ["08006", "reconnect", "unreachable"],
    ["25006", "reconnect", "unreachable"],
    ["26000", "reconnect", "unreachable"],
    ["57P01", "reconnect", "unreachable"],
    ["57P03", "reconnect", "unreachable"],
    ["0A000", "reconnect", "incompatible"],
    ["28P01", "none", "unreachable"],
    ["3D000", "none", "unreachable"],
    ["57P04", "none", "unreachable"],
    ["42P01", "none", "incompatible"],
    ["42883", "none", "incompatible"],
    ["22003", "none", "refused"],
    ["23514", "none", "refused"],
    ["54000", "none", "refused"],
    ["XX000", "none", "refused"],
  ] as const)("SQLSTATE %s: %s, otherwise %s", (sqlState, remedy, fault) => {
    expect(diagnose(serverError(sqlState))).toEqual({ remedy, fault });
    expect(diagnose(new DrizzleQueryError("select 1", [], serverError(sqlState)))).toEqual({ remedy, fault });
    // postgres.js has the SQLSTATE in `code`.
    expect(diagnose(Object.assign(new Error("x"), { code: sqlState }))).toEqual({ remedy, fault });
  });

  test.each([
    "ERR_POSTGRES_CONNECTION_CLOSED",
    "ERR_POSTGRES_CONNECTION_REFUSED",
    "ERR_POSTGRES_CONNECTION_TIMEOUT",
    "ERR_POSTGRES_CONNECTION_FAILED",
    "ERR_POSTGRES_UNEXPECTED_MESSAGE",
    "CONNECTION_DESTROYED",
    "CONNECT_TIMEOUT",
    "ECONNREFUSED",
    "ECONNRESET",
    "ENOENT",
    "EPIPE",
  ])("%s is a lost connection", (code) => {
    expect(diagnose(Object.assign(new Error("x"), { code }))).toEqual({ remedy: "reconnect", fault: "unreachable" });
  });

  test("an answer that is overdue costs its connection, and a fault of our own is not repeated", () => {
    expect(diagnose(new AnswerOverdue(5))).toEqual({ remedy: "reconnect", fault: "unreachable" });
    expect(diagnose(new TypeError("x is not a function"))).toEqual({ remedy: "none", fault: "refused" });
    expect(diagnose(new StoreError("full", "enough"))).toEqual({ remedy: "none", fault: "full" });
  });
});

describe("what leaves the store", () => {
  // Put together, because an inspected error quotes the source around it.
  const secret = ["open", "sesame"].join(" ");
  const data = new SQL.PostgresError(`invalid input: "${secret}"`, {
    code: "ERR_POSTGRES_SERVER_ERROR",
    errno: "22P02",
    detail: `Key (topic)=(${secret})`,
    where: `portal with parameter $1 = '${secret}'`,
    routine: "pg_strtoint16_safe",
  });

  test("an error about data says its SQLSTATE and place, and nothing of the data", () => {
    const error = toStoreError(
      new DrizzleQueryError(`select '${secret}'`, [secret], data),
      "messages could not be stored",
    );
    expect(error.message).toBe(
      "messages could not be stored: the database answered SQLSTATE 22P02 (pg_strtoint16_safe)",
    );
    expect(Bun.inspect(error, { depth: 20 })).not.toContain(secret);
    expect(error.stack).not.toContain(secret);
    expect(error.cause instanceof Error && error.cause.stack).toContain("retry.test.ts");
  });

  test("an error about the database says what the server said", () => {
    const error = toStoreError(serverError("28P01", 'password authentication failed for user "tide"'), "no store");
    expect(error.message).toContain('password authentication failed for user "tide"');
  });

  test("a fault of our own is named, with the place it came from, and without its message", () => {
    const error = toStoreError(new RangeError(secret), "the store could not be read");
    expect(error.message).toBe("the store could not be read: the database driver failed (RangeError)");
    expect(Bun.inspect(error, { depth: 20 })).not.toContain(secret);
    expect(error.cause instanceof Error && error.cause.stack).toContain("retry.test.ts");
  });

  test("an error of the store leaves as it is", () => {
    const error = new StoreError("full", "enough");
    expect(toStoreError(error, "anything")).toBe(error);
  });
});
