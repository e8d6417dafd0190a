import { Interrupted, type Io, type Output, type StopSignal } from "../../src/base/process";

/** A process as a command sees it, kept in memory. */
export class TestIo implements Io {
  readonly #stop = new AbortController();
  readonly #out: string[] = [];
  readonly #err: string[] = [];
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly env: Readonly<Record<string, string>>;
  readonly parent = undefined;
  readonly stdout = collect(this.#out, () => this.onOutput());
  readonly stderr = collect(this.#err, () => {});
  /** Called after each write to stdout. */
  onOutput: () => void = () => {};

  constructor(options: { readonly stdin?: readonly string[]; readonly env?: Readonly<Record<string, string>> } = {}) {
    this.stdin = chunks(options.stdin ?? []);
    this.env = options.env ?? {};
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  interrupt(by: StopSignal): void {
    this.#stop.abort(new Interrupted(by));
  }

  get out(): string {
    return this.#out.join("");
  }

  get err(): string {
    return this.#err.join("");
  }

  /** Lines of stdout, read as JSON. */
  get json(): readonly unknown[] {
    return this.lines.map((line) => JSON.parse(line));
  }

  get lines(): readonly string[] {
    return this.out.split("\n").filter((line) => line !== "");
  }
}

function collect(texts: string[], onWrite: () => void): Output {
  return {
    isTerminal: false,
    write: (text) => {
      texts.push(text);
      onWrite();
    },
    room: async () => {},
  };
}

async function* chunks(texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}
