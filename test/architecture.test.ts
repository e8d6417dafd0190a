import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";

const ROOT = join(import.meta.dir, "..");

/** Which folders of src/ a folder may import from, besides itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  core: [],
  base: [],
  wire: ["core", "base"],
  store: ["core", "base"],
  feed: ["store", "core", "base"],
  mls: ["core", "base"],
  serve: ["feed", "store", "wire", "mls", "core", "base"],
  client: ["wire", "core", "base"],
  operator: ["feed", "core", "base"],
  conformance: ["wire", "core", "base"],
  cli: ["serve", "client", "operator", "conformance", "feed", "store", "wire", "mls", "core", "base"],
  main: ["cli", "base"],
};

/**
 * Which folders inside such a folder may import from each other. What lies beside them in the outer folder may be imported
 * by all, and may import from all.
 */
const INNER_ARROWS: Readonly<Record<string, readonly string[]>> = {
  "serve/framing": [],
  "serve/stream": [],
  "serve/api": ["serve/stream"],
  "serve/web": ["serve/api"],
  "conformance/client": [],
  "conformance/checker": ["conformance/client"],
  "conformance/cases": ["conformance/client"],
  "conformance/fuzz": ["conformance/client", "conformance/checker"],
  "serve/h2": ["serve/api", "serve/framing", "serve/stream", "serve/web"],
};

/** Who may import what comes from outside. A package has one owner, or one on either side of the wire. */
const OWNERS: readonly { readonly of: RegExp; readonly folders: readonly string[] }[] = [
  { of: /^@bufbuild\/protobuf/, folders: ["wire"] },
  { of: /^@connectrpc\//, folders: ["serve", "client"] },
  { of: /^(drizzle-orm|postgres)(\/|$)/, folders: ["store"] },
  { of: /^(ts-mls|viem|@noble\/curves)(\/|$)/, folders: ["mls"] },
  { of: /^prom-client$/, folders: ["base"] },
  /** flock(2): the one lock on a directory that dies with its process. getsockopt(2): bytes that came over a socket. */
  { of: /^bun:ffi$/, folders: ["store", "serve"] },
  { of: /^node:http2$/, folders: ["serve", "client", "conformance"] },
  {
    of: /^(node:|bun$)/,
    folders: ["base", "wire", "store", "feed", "mls", "serve", "client", "operator", "conformance", "cli", "main"],
  },
];

interface Source {
  readonly path: string;
  readonly folder: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function readSources(): readonly Source[] {
  return readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => {
      const text = readFileSync(join(ROOT, "src", path), "utf8");
      const imports = [
        ...text.matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)"|\bimport\("([^"]+)"\)|^import\s+"([^"]+)"/gm),
      ];
      return {
        path,
        folder: path === "main.ts" ? "main" : (path.split("/")[0] ?? path),
        text,
        imports: imports.map((match) => match[1] ?? match[2] ?? match[3] ?? ""),
      };
    });
}

/** What an import leads to, from src/. */
function targetPath(source: Source, specifier: string): string {
  return relative(join(ROOT, "src"), normalize(join(ROOT, "src", dirname(source.path), specifier)));
}

function targetFolder(source: Source, specifier: string): string {
  const target = targetPath(source, specifier);
  return target.startsWith("..") ? target : (target.split("/")[0] ?? target);
}

/** Why an import is against the arrows between the folders inside a folder, or undefined if it is not. */
function innerFault(source: Source, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  const [from, to] = [dirname(source.path), dirname(targetPath(source, specifier))];
  if (from === to || !(to in INNER_ARROWS)) return undefined;
  const arrows = INNER_ARROWS[from];
  if (arrows === undefined || arrows.includes(to)) return undefined;
  return `src/${source.path} imports ${specifier}: no arrow leads from ${from} to ${to}`;
}

/** Why an import is against the arrows, or undefined if it is not. */
function fault(source: Source, specifier: string): string | undefined {
  const line = `src/${source.path} imports ${specifier}`;
  if (!specifier.startsWith(".")) {
    const owner = OWNERS.find((rule) => rule.of.test(specifier));
    if (owner === undefined) return `${line}, which has no owner folder`;
    return owner.folders.includes(source.folder) ? undefined : `${line}, which belongs to ${owner.folders.join(", ")}`;
  }
  const folder = targetFolder(source, specifier);
  if (folder.startsWith("../migrations/") && source.folder === "store") return undefined;
  if (folder === "../package.json" && source.folder === "base") return undefined;
  if (folder === source.folder || ARROWS[source.folder]?.includes(folder)) return undefined;
  return `${line}: no arrow leads from ${source.folder} to ${folder}`;
}

const sources = readSources();
const written = sources.filter((source) => !source.path.startsWith("wire/gen/"));

describe("the layout", () => {
  test("every folder of src/ is on the map", () => {
    const unknown = new Set(sources.map((source) => source.folder).filter((folder) => !(folder in ARROWS)));
    expect([...unknown]).toEqual([]);
  });

  test("every import follows an arrow, and every package is imported by its owner only", () => {
    const faults = sources.flatMap((source) =>
      source.imports.map((specifier) => fault(source, specifier) ?? innerFault(source, specifier)),
    );
    expect(faults.filter((text) => text !== undefined)).toEqual([]);
  });

  test("the check itself sees an arrow that leads the wrong way", () => {
    const wrong: Source = { path: "core/x.ts", folder: "core", text: "", imports: [] };
    expect(fault(wrong, "../store/types")).toContain("no arrow leads from core to store");
    expect(fault(wrong, "node:fs")).toContain("belongs to");
    expect(fault(wrong, "left-pad")).toContain("no owner");
    expect(fault(wrong, "./session/events")).toBeUndefined();
    const stream: Source = { path: "serve/stream/x.ts", folder: "serve", text: "", imports: [] };
    expect(innerFault(stream, "../h2/port")).toContain("no arrow leads from serve/stream to serve/h2");
    expect(innerFault(stream, "../errors")).toBeUndefined();
  });

  test("the core is pure: no clock, timer, promise, randomness, console or platform global", () => {
    const impure =
      /\b(Date|setTimeout|setInterval|setImmediate|queueMicrotask|Promise|async|await|performance|process|Bun|Buffer|console)\b|Math\.random/;
    const found = written
      .filter((source) => source.folder === "core")
      .flatMap((source) =>
        code(source.text).flatMap((line) => (impure.test(line) ? [`src/${source.path}: ${line.trim()}`] : [])),
      );
    expect(found).toEqual([]);
  });

  test("timers are made in base/clock.ts only", () => {
    const found = written
      .filter((source) => source.path !== "base/clock.ts")
      .flatMap((source) =>
        code(source.text).flatMap((line) =>
          /\bset(Timeout|Interval)\(/.test(line) ? [`src/${source.path}: ${line.trim()}`] : [],
        ),
      );
    expect(found).toEqual([]);
  });

  test("no file is longer than 300 lines, a session's 400", () => {
    const long = written
      .map((source) => ({ path: source.path, lines: source.text.split("\n").length - 1 }))
      .filter(({ path, lines }) => lines > (path.startsWith("core/session/") ? 400 : 300));
    expect(long).toEqual([]);
  });
});

/** The lines of a file without comments, good enough for looking for words. */
function code(text: string): readonly string[] {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, "")
    .split("\n")
    .map((line) => line.replace(/\/\/.*$/, "").replace(/"[^"]*"|`[^`]*`/g, '""'));
}
