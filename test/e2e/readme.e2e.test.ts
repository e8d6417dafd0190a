import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isAlive, QUIET_SETTINGS, ServeProcess } from "../support/serve-process";
import { until } from "../support/until";

const ROOT = join(import.meta.dir, "../..");
const readme = readFileSync(join(ROOT, "README.md"), "utf8");

/** The README's commands and programs, by language, in order. */
function blocks(language: string): readonly string[] {
  return [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, text]) => text ?? "");
}

/** A line of the README as it is run here: with this very bun rather than one that npx fetches. */
function commandOf(line: string): string[] {
  return ["sh", "-c", `exec ${line.replace("npx -y bun@1.4.5", process.execPath)}`];
}

const lines = blocks("sh").flatMap((block) => block.trim().split("\n"));
const find = (words: string): string =>
  lines.find((line) => line.includes(words)) ?? `echo no line with ${words}; false`;

let dataDir = "";
let node: ServeProcess;
let env: Record<string, string | undefined> = {};

beforeAll(async () => {
  dataDir = mkdtempSync(join(tmpdir(), "tideline-readme-"));
  node = await ServeProcess.start({
    command: commandOf(find("run dev")),
    env: { ...process.env, ...QUIET_SETTINGS, TIDELINE_DATA_DIR: dataDir },
  });
  env = { ...process.env, TIDELINE_ADDRESS: node.serving.grpc };
});

afterAll(async () => {
  await node.end("SIGINT");
  rmSync(dataDir, { recursive: true, force: true });
});

test("the README's commands work as they stand: a stream in one terminal gets what another publishes", async () => {
  const tail = Bun.spawn(commandOf(`${find("tail group:demo")} --count 1`), { cwd: ROOT, env, stdout: "pipe" });
  const publish = Bun.spawn(commandOf(find("publish --group demo")), { cwd: ROOT, env, stdout: "pipe" });
  expect(await publish.exited).toBe(0);
  expect(await new Response(tail.stdout).text()).toContain("hello, tide");
  expect(await tail.exited).toBe(0);
});

test("the README's program runs: it prints history, then the first live message, and ends", async () => {
  const [program = ""] = blocks("ts");
  const path = join(dataDir, "program.ts");
  writeFileSync(
    path,
    program
      .replace("./src/client", join(ROOT, "src/client"))
      .replace("http://127.0.0.1:5556", `http://${env["TIDELINE_ADDRESS"]}`),
  );
  const child = Bun.spawn([process.execPath, path], { cwd: ROOT, stdout: "pipe" });
  const publishing = new AbortController();
  const publish = async (): Promise<void> => {
    while (!publishing.signal.aborted)
      await Bun.spawn(commandOf(find("publish --group demo")), { cwd: ROOT, env }).exited;
  };
  const published = publish();
  const printed = await new Response(child.stdout).text();
  publishing.abort();
  await published;
  expect(await child.exited).toBe(0);
  expect(printed).toMatch(/^#\d+: \d+ bytes$/m);
});

test("`run dev` prints where the node is, and Ctrl-C leaves nothing behind", async () => {
  expect(node.serving.web).toMatch(/^127\.0\.0\.1:\d+$/);
  const response = await fetch(`http://${node.serving.admin}/readyz`);
  expect(response.status).toBe(200);
  const postgres = join(dataDir, "postgres/postmaster.pid");
  const [pid] = readFileSync(postgres, "utf8").split("\n");
  await node.end("SIGINT");
  await until(() => !isAlive(Number(pid)), "the database to stop");
});
