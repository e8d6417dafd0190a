/** A status of gRPC. */
export interface Status {
  readonly code: number;
  readonly words: string;
}

/** The numbers of those that the model has. */
export const STATUS = {
  ok: 0,
  invalidArgument: 3,
  deadlineExceeded: 4,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
} as const;

/** A call that ends with another status than OK. */
export class CallError extends Error {
  readonly status: Status;

  constructor(code: number, words: string) {
    super(words);
    this.name = "CallError";
    this.status = { code, words };
  }
}

/** Ends a call because of what it asks for. */
export function invalid(words: string): never {
  throw new CallError(STATUS.invalidArgument, words);
}
