/** An app on the browser SDK in a headless Chromium, if the machine has one. */

import { join } from "node:path";
import { App } from "./app";
import { AppProcess, SDK_DIR } from "./app-process";

const BROWSERS = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/** The machine's Chromium: what `CHROMIUM_PATH` names, or what is on the PATH. */
export function findBrowser(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  if (named !== undefined) return named;
  return BROWSERS.map((name) => Bun.which(name)).find((path) => path !== null) ?? undefined;
}

/** A site that is nothing but the app. Its origin is not the node's, as it is wherever the browser SDK is used. */
export class AppSite implements AsyncDisposable {
  readonly #server: Bun.Server<undefined>;

  private constructor(server: Bun.Server<undefined>) {
    this.#server = server;
  }

  static async start(): Promise<AppSite> {
    const files = new Map<string, Blob>([
      ["/", new Blob(['<script type="module" src="/app.js"></script>'], { type: "text/html" })],
      ["/app.js", await bundleOf(join(SDK_DIR, "apps/browser-page.mjs"))],
      ["/workers/bindings_wasm_bg.wasm", Bun.file(fileOf("@xmtp/wasm-bindings", "bindings_wasm_bg.wasm"))],
    ]);
    // The SDK's own words for where its workers are, next to the bundle.
    for (const worker of ["client", "opfs"])
      files.set(`/workers/${worker}`, await bundleOf(fileOf("@xmtp/browser-sdk", `workers/${worker}.js`)));
    const answer = ({ url }: Request) => {
      const file = files.get(new URL(url).pathname);
      return file === undefined ? new Response("not found", { status: 404 }) : new Response(file);
    };
    return new AppSite(Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: answer }));
  }

  /** Opens a page of it in a browser. */
  open(browser: string, { webUrl }: { readonly webUrl: string }): App {
    const process = new AppProcess("browser-app.mjs", [browser, `http://127.0.0.1:${this.#server.port}/`]);
    return new App(process, { env: "local", apiUrl: webUrl, historySyncUrl: null });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}

/** A file of a package's build. */
function fileOf(name: string, path: string): string {
  return join(SDK_DIR, "node_modules", name, "dist", path);
}

/** In a process of its own: ours may have looked for packages before they were installed, and remembers. */
async function bundleOf(entry: string): Promise<Blob> {
  const bundler = Bun.spawn([process.execPath, "build", entry, "--target=browser", "--format=esm"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [script, said] = await Promise.all([new Response(bundler.stdout).text(), new Response(bundler.stderr).text()]);
  if ((await bundler.exited) !== 0) throw new Error(`${entry} cannot be bundled:\n${said}`);
  return new Blob([script], { type: "text/javascript" });
}
