/** Lines of bytes out of a stream of bytes. */

const NEWLINE = 10;

/**
 * The lines of the input, without their newlines; those that arrived together come together.
 * Ends quietly when the signal aborts, without waiting for the input.
 * @throws RangeError for a line longer than `maxBytes`
 */
export async function* readLines(
  input: AsyncIterable<Uint8Array>,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Uint8Array[]> {
  let rest: Uint8Array = new Uint8Array();
  const chunks = input[Symbol.asyncIterator]();
  for (;;) {
    const chunk = await untilAborted(chunks.next(), signal);
    if (chunk === undefined) return;
    if (chunk.done) break;
    const { lines, left } = split(Buffer.concat([rest, chunk.value]));
    rest = left;
    const tooLong = [...lines, rest].find((line) => line.length > maxBytes);
    if (tooLong !== undefined) throw new RangeError(`a line of at least ${tooLong.length} bytes; at most ${maxBytes}`);
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) yield [rest];
}

function split(bytes: Uint8Array): { readonly lines: readonly Uint8Array[]; readonly left: Uint8Array } {
  const lines: Uint8Array[] = [];
  let start = 0;
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    lines.push(bytes.subarray(start, end));
    start = end + 1;
  }
  return { lines, left: bytes.subarray(start) };
}

/** What a promise resolves to; `undefined` as soon as the signal aborts. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  if (signal.aborted) return undefined;
  const { promise: aborted, resolve } = Promise.withResolvers<undefined>();
  const onAbort = () => resolve(undefined);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // Both are made for this call alone, so nothing that outlives it gathers reactions.
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
