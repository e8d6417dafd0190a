import { describe, expect, test } from "bun:test";
import { describeMistake, NO_POSITIONALS, parseSettings } from "../../src/base/args";
import { settingsEnvironment, settingsHelp, settingsMarkdown } from "../../src/base/args-help";
import { KNOWN_ENV, SERVE_SETTINGS } from "../../src/base/config";

/** Reads the configuration as `tideline serve` does. */
function parseServeConfig(argv: readonly string[], env: Readonly<Record<string, string>>) {
  return parseSettings({ settings: SERVE_SETTINGS, positionals: NO_POSITIONALS, argv, env, knownEnv: KNOWN_ENV });
}

describe("the node's configuration", () => {
  test("needs nothing to be said", () => {
    expect(parseServeConfig([], {})).toMatchObject({
      kind: "parsed",
      values: {
        databaseUrl: undefined,
        dataDir: "./.tideline",
        grpcListen: { host: "127.0.0.1", port: 5556 },
        webListen: { host: "127.0.0.1", port: 5557 },
        adminListen: { host: "127.0.0.1", port: 5559 },
        keepaliveMs: 30_000,
        maxMessageBytes: 3 * 1024 ** 2,
        notify: "listen",
        logFormat: "auto",
      },
    });
  });

  test("keeps the keepalive within 100 to 30000 ms (R-2)", () => {
    expect(parseServeConfig([], { TIDELINE_KEEPALIVE_MS: "100" }).kind).toBe("parsed");
    for (const text of ["99", "30001"]) {
      expect(parseServeConfig([], { TIDELINE_KEEPALIVE_MS: text }).kind).toBe("mistakes");
    }
  });

  test("reads every setting from its variable and from its flag", () => {
    for (const { env, flag, kind, default: text } of Object.values(SERVE_SETTINGS)) {
      const line = "toggle" in kind ? [`--${flag}`] : [`--${flag}`, text];
      expect(parseServeConfig(line, {}).kind).toBe("parsed");
      expect(parseServeConfig([], { [env]: text }).kind).toBe("parsed");
    }
  });

  test("takes the variable of the client's commands for a known one", () => {
    expect(parseServeConfig([], { TIDELINE_ADDRESS: "host:1" }).kind).toBe("parsed");
  });

  test("never repeats a database URL, not even a wrong one", () => {
    const result = parseServeConfig([], { DATABASE_URL: "mysql://someone:hunter2@h/d" });
    const said = result.kind === "mistakes" ? result.mistakes.map(describeMistake).join("\n") : "";
    expect(said).toContain("DATABASE_URL: wanted a URL");
    expect(said).not.toContain("hunter2");
    const right = parseServeConfig(["--database-url", "postgres://someone:hunter2@h/d"], {});
    if (right.kind !== "parsed") throw new Error("a right URL was refused");
    const shown = JSON.stringify(settingsEnvironment(SERVE_SETTINGS, right.values));
    expect(shown).toContain("postgres://h/d");
    expect(shown + JSON.stringify(right)).not.toContain("hunter2");
  });

  test("never repeats the URL of a chain, not even a wrong one", () => {
    const result = parseServeConfig([], { TIDELINE_CHAIN_RPC: "mainnet=https://h/hunter2" });
    const said = result.kind === "mistakes" ? result.mistakes.map(describeMistake).join("\n") : "";
    expect(said).toContain("TIDELINE_CHAIN_RPC: wanted CHAIN=URL");
    expect(said).not.toContain("hunter2");
    const right = parseServeConfig(["--chain-rpc", "1=https://h/hunter2"], {});
    if (right.kind !== "parsed") throw new Error("a right list was refused");
    const shown = JSON.stringify(settingsEnvironment(SERVE_SETTINGS, right.values));
    expect(shown).toContain("1=…");
    expect(shown + JSON.stringify(right)).not.toContain("hunter2");
  });

  test("has its help and its README table made from the one table", () => {
    const help = settingsHelp(SERVE_SETTINGS);
    const markdown = settingsMarkdown(SERVE_SETTINGS);
    for (const { env, flag, sentence } of Object.values(SERVE_SETTINGS)) {
      expect(help).toContain(`--${flag}`);
      expect(help).toContain(env);
      expect(help).toContain(sentence);
      expect(markdown).toContain(`| \`${env}\` | \`--${flag}\` |`);
    }
    expect(markdown.split("\n")).toHaveLength(2 + Object.keys(SERVE_SETTINGS).length);
  });
});
