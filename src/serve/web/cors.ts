/**
 * What browsers are told about calls from other origins. Any origin may call: nothing here rests on cookies or on
 * where a caller sits, and what a message says is encrypted anyway.
 */

/** Headers that a client may send, beside those that every page may. */
const ALLOWED_HEADERS = [
  "content-type",
  "x-app-version",
  "x-libxmtp-version",
  "x-grpc-web",
  "x-user-agent",
  "grpc-timeout",
  "connect-protocol-version",
  "connect-timeout-ms",
  "authorization",
  "*",
];

/** Headers of a response that a page may read. */
const EXPOSED_HEADERS = ["grpc-status", "grpc-message", "grpc-status-details-bin"];

/** How long a browser may remember, in seconds; some forget earlier. */
const MAX_AGE_S = 86_400;

/** What every response carries. */
export const CORS_HEADERS: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": EXPOSED_HEADERS.join(", "),
};

/** What the answer to a preflight carries. */
export const PREFLIGHT_HEADERS: Readonly<Record<string, string>> = {
  ...CORS_HEADERS,
  "access-control-allow-methods": "POST, OPTIONS",
  "access-control-allow-headers": ALLOWED_HEADERS.join(", "),
  "access-control-max-age": `${MAX_AGE_S}`,
};
