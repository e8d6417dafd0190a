/** Logs are events: a name and its facts, one line each. Level = who must act: error now, warn soon, info nobody, debug the developer. */

export const LOG_LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Facts of an event. Never a payload, a full topic, a query parameter or a secret. */
export type LogFields = Readonly<Record<string, string | number | bigint | boolean | undefined>>;

export interface Logger {
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warn(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** A logger that adds these facts to every event. */
  with(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** One JSON object a line for machines, or aligned text for a terminal. */
  readonly format: "json" | "text";
  /** Takes one finished line, without its newline. */
  readonly write: (line: string) => void;
  /** Wall clock, in milliseconds since 1970. */
  readonly wallMs: () => number;
}

/** A logger that writes lines through `options.write`. */
export function createLogger(options: LoggerOptions): Logger {
  const least = LOG_LEVELS.indexOf(options.level);
  const render = options.format === "json" ? renderJson : renderText;
  const make = (bound: LogFields): Logger => {
    const at = (level: LogLevel) => (event: string, fields?: LogFields) => {
      if (LOG_LEVELS.indexOf(level) < least) return;
      options.write(render(new Date(options.wallMs()).toISOString(), level, event, { ...bound, ...fields }));
    };
    return {
      debug: at("debug"),
      info: at("info"),
      warn: at("warn"),
      error: at("error"),
      with: (fields) => make({ ...bound, ...fields }),
    };
  };
  return make({});
}

/** A logger that says nothing. */
export const silentLogger: Logger = createLogger({ level: "error", format: "json", write: () => {}, wallMs: () => 0 });

function renderJson(time: string, level: LogLevel, event: string, fields: LogFields): string {
  return JSON.stringify({ time, level, event, ...fields }, (_, value) =>
    typeof value === "bigint" ? `${value}` : value,
  );
}

function renderText(time: string, level: LogLevel, event: string, fields: LogFields): string {
  const facts = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${value}`);
  return `${time.slice(11, 23)} ${level.padEnd(5)} ${event}${facts.join("")}`;
}
