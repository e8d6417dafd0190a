import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { installPackages } from "./install";
import { SdkNode } from "./sdk-node";
import { describeSdk } from "./suite";

const ROOT = join(import.meta.dir, "../../..");
const EXAMPLE = join(ROOT, "examples/echo-agent");

/** The page's commands, as far as they start a script of the example. */
const commands = [...readFileSync(join(ROOT, "docs/xmtp-clients.md"), "utf8").matchAll(/```sh\n(.*)\n```/g)]
  .map(([, line = ""]) => line)
  .filter((line) => line.includes("examples/echo-agent"))
  .map((line) => line.split(" && ").at(-1) ?? "");

describeSdk("the echo agent", () => {
  let node: SdkNode;
  let workDir = "";
  beforeAll(async () => {
    await installPackages(EXAMPLE);
    node = await SdkNode.start();
    workDir = mkdtempSync(join(tmpdir(), "tideline-echo-"));
  });
  afterAll(async () => {
    await node?.[Symbol.asyncDispose]();
    rmSync(workDir, { recursive: true, force: true });
  });

  /** Runs a command of the page with the packages that are installed, where its databases are in nobody's way. */
  function run(command: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
    const [program = "", script = "", ...args] = command.split(" ");
    return Bun.spawn([program, join(EXAMPLE, script), ...args], {
      cwd: workDir,
      env: { ...process.env, XMTP_URL: node.url },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
  }

  test("says back what it is told, started and talked to as docs/xmtp-clients.md says", async () => {
    const [start = "", say = ""] = commands;
    const agent = run(start);
    try {
      const address = await firstWord(agent.stdout);
      expect(address).toMatch(/^0x[0-9a-fA-F]{40}$/);
      const asked = run(say.replace("0xADDRESS", address));
      expect(await new Response(asked.stdout).text()).toBe("echo: hello\n");
      expect(await asked.exited).toBe(0);
      expect(node.streams).toContain("Subscribe");
    } finally {
      agent.kill("SIGKILL");
      await agent.exited;
    }
  });
});

async function firstWord(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let said = "";
  for await (const chunk of stream) {
    said += decoder.decode(chunk, { stream: true });
    if (said.includes("\n")) break;
  }
  return said.split(" ")[0] ?? "";
}
