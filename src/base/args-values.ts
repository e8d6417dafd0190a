/** What a setting's value may look like: how it is read, what is said when it cannot be, how it is shown. */

/** A value that was understood. `undefined` in its place means: not understood. */
export type Parsed<T> = { readonly value: T } | undefined;

export interface ValueKind<T> {
  /** What one may write, to follow the word "wanted". */
  readonly wanted: string;
  /** Unit or form, as help and README show it. */
  readonly unit: string;
  /** A toggle is a flag without a value: its presence is the value. */
  readonly toggle?: true;
  /** A secret is never repeated in a message. */
  readonly secret?: true;
  parse(text: string): Parsed<T>;
  /** The value as one would write it; a secret shows only what may be seen. */
  show(value: T): string;
}

/** A whole number within inclusive bounds. */
export function integer(unit: string, min: number, max = Number.MAX_SAFE_INTEGER): ValueKind<number> {
  return {
    wanted: `a whole number ${range(min, max)} (${unit})`,
    unit,
    parse: (text) => within(/^\d{1,16}$/.test(text) ? Number(text) : undefined, min, max),
    show: String,
  };
}

const BYTE_UNITS: Readonly<Record<string, number>> = { "": 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A number of bytes within inclusive bounds; KiB, MiB and GiB may follow the number. */
export function bytes(min: number, max: number): ValueKind<number> {
  return {
    wanted: `bytes ${range(min, max)}, as 3145728 or 3MiB`,
    unit: "bytes",
    parse: (text) => {
      const [, digits, unit] = /^(\d{1,16})([A-Za-z]*)$/.exec(text) ?? [];
      const factor = unit === undefined ? undefined : BYTE_UNITS[unit];
      return within(factor === undefined ? undefined : Number(digits) * factor, min, max);
    },
    show: (value) => {
      const unit = ["GiB", "MiB", "KiB"].find((name) => value > 0 && value % (BYTE_UNITS[name] ?? 1) === 0);
      return unit === undefined ? String(value) : `${value / (BYTE_UNITS[unit] ?? 1)}${unit}`;
    },
  };
}

const TIME_UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A time as milliseconds, written as 90s, 30m, 12h or 7d; or `forever`: none. */
export function durationOrForever(minMs: number, maxMs: number): ValueKind<number | undefined> {
  const show = (ms: number) => {
    const unit = ["d", "h", "m", "s"].find((name) => ms % (TIME_UNITS_MS[name] ?? 1) === 0) ?? "s";
    return `${ms / (TIME_UNITS_MS[unit] ?? 1)}${unit}`;
  };
  return {
    wanted: `a time from ${show(minMs)} to ${show(maxMs)}, as 90s, 30m, 12h or 7d; or forever`,
    unit: "time | forever",
    parse: (text) => {
      if (text === "forever") return { value: undefined };
      const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
      const factor = TIME_UNITS_MS[unit ?? ""];
      return within(factor === undefined ? undefined : Number(digits) * factor, minMs, maxMs);
    },
    show: (value) => (value === undefined ? "forever" : show(value)),
  };
}

/** One of a few words. */
export function choice<const T extends string>(words: readonly T[]): ValueKind<T> {
  return {
    wanted: `one of ${words.join(", ")}`,
    unit: words.join(" | "),
    parse: (text) => {
      const value = words.find((word) => word === text);
      return value === undefined ? undefined : { value };
    },
    show: String,
  };
}

/** Any text but the empty one. */
export function text(unit: string): ValueKind<string> {
  return {
    wanted: `a ${unit}`,
    unit,
    parse: (value) => (value === "" ? undefined : { value }),
    show: String,
  };
}

/** A switch: off unless given. */
export const toggle: ValueKind<boolean> = {
  wanted: "no value",
  unit: "",
  toggle: true,
  parse: (text) => (text === "" || text === "false" ? { value: false } : text === "true" ? { value: true } : undefined),
  show: String,
};

/** The same values, or none when nothing is given (an empty text). */
export function optional<T>(kind: ValueKind<T>): ValueKind<T | undefined> {
  return {
    ...kind,
    parse: (text) => (text === "" ? { value: undefined } : kind.parse(text)),
    show: (value) => (value === undefined ? "" : kind.show(value)),
  };
}

/** Where to listen. Port 0: the system chooses one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `host:port`; an IPv6 host stands in brackets. */
export const listenAddress: ValueKind<ListenAddress> = {
  wanted: "host:port with a port from 0 to 65535 (0: the system chooses), as 127.0.0.1:5556 or [::1]:5556",
  unit: "host:port",
  parse: (text) => {
    const [, bracketed, plain, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text) ?? [];
    const host = bracketed ?? plain;
    const port = Number(digits);
    return host === undefined || port > 65_535 ? undefined : { value: { host, port } };
  },
  show: ({ host, port }) => (host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`),
};

/** The same, or `off`: no such listener. */
export const listenAddressOrOff: ValueKind<ListenAddress | undefined> = {
  ...listenAddress,
  wanted: `${listenAddress.wanted}; or off`,
  unit: "host:port | off",
  parse: (text) => (text === "off" ? { value: undefined } : listenAddress.parse(text)),
  show: (value) => (value === undefined ? "off" : listenAddress.show(value)),
};

/** A text that nobody gets to see by accident: printing, joining or serialising it shows only its public part. */
export class Secret {
  readonly #text: string;
  readonly #shown: string;

  constructor(text: string, shown: string) {
    this.#text = text;
    this.#shown = shown;
  }

  /** The text itself, for the one who needs it. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return this.#shown;
  }

  toJSON(): string {
    return this.#shown;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.#shown;
  }
}

/** A Postgres URL; empty: none. Only scheme, host, port and database are ever shown. */
export const databaseUrl: ValueKind<Secret | undefined> = {
  wanted: "a URL as postgres://user:password@host:5432/database, or nothing for the embedded database",
  unit: "URL",
  secret: true,
  parse: (text) => {
    if (text === "") return { value: undefined };
    if (!/^postgres(ql)?:\/\/\S+$/.test(text)) return undefined;
    // No URL to the platform, which wants a host: a unix socket has none.
    const shown = text.replace(/\?.*$/, "").replace(/\/\/[^/]*@/, "//");
    return { value: new Secret(text, shown.includes("@") ? "postgres://…" : shown) };
  },
  show: (value) => (value === undefined ? "" : value.toString()),
};

/**
 * By chain id, how to reach the chain: `CHAIN=URL`, several joined by commas; empty: none. A URL often holds a key, so only
 * the chains are ever shown.
 */
export const chainUrls: ValueKind<ReadonlyMap<bigint, Secret>> = {
  wanted: "CHAIN=URL with the number of a chain and an http or https URL, several joined by commas, each chain once",
  unit: "CHAIN=URL,…",
  secret: true,
  parse: (text) => {
    const urls = new Map<bigint, Secret>();
    // A comma may stand in a URL, too.
    const entries = text === "" ? [] : text.split(/,(?=\s*\d+=)/);
    for (const entry of entries) {
      const [, chain, url] = /^\s*(\d{1,20})=(https?:\/\/\S+?)\s*$/.exec(entry) ?? [];
      if (chain === undefined || url === undefined || !URL.canParse(url)) return undefined;
      urls.set(BigInt(chain), new Secret(url, "…"));
    }
    return urls.size === entries.length ? { value: urls } : undefined;
  },
  show: (urls) => [...urls].map(([chain, url]) => `${chain}=${url}`).join(),
};

/** Chains and their URLs as they were written: for another process, not for people. */
export function revealChainUrls(urls: ReadonlyMap<bigint, Secret>): string {
  return [...urls].map(([chain, url]) => `${chain}=${url.reveal()}`).join();
}

/** The address of a node, as a base URL: http (h2c) unless it says https. */
export const nodeAddress: ValueKind<string> = {
  wanted: "the address of a node, as 127.0.0.1:5556, http://host:5556 or https://host",
  unit: "address",
  parse: (text) => {
    const url = /^https?:\/\//.test(text) ? text : `http://${text}`;
    if (text === "" || /\s/.test(text) || !URL.canParse(url)) return undefined;
    const { protocol, host, pathname, search, hash, username } = new URL(url);
    const bare = pathname === "/" && search === "" && hash === "" && username === "";
    return bare ? { value: `${protocol}//${host}` } : undefined;
  },
  show: String,
};

/** A cursor: a message id, 0 to 2^63 - 1. */
export const cursor: ValueKind<bigint> = {
  wanted: "a message id from 0 to 9223372036854775807",
  unit: "ID",
  parse: (text) => {
    const id = /^\d{1,19}$/.test(text) ? BigInt(text) : -1n;
    return id >= 0n && id < 1n << 63n ? { value: id } : undefined;
  },
  show: String,
};

/** So many per second, above 0: 50, 0.5 or 50/s. */
export const perSecond: ValueKind<number> = {
  wanted: "a number per second above 0 and at most 1000000, as 50, 0.5 or 50/s",
  unit: "per second",
  parse: (text) => {
    const [, digits] = /^(\d{1,7}(?:\.\d{1,6})?)(?:\/s)?$/.exec(text) ?? [];
    return within(digits === undefined ? undefined : Number(digits), 0.000_001, 1_000_000);
  },
  show: String,
};

function within(value: number | undefined, min: number, max: number): Parsed<number> {
  return value !== undefined && value >= min && value <= max ? { value } : undefined;
}

function range(min: number, max: number): string {
  return max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
}
