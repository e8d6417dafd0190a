/** Why the store could not do what it was asked. */
export type StoreFault =
  /** The database refused this very data; asking again is of no use. */
  | "refused"
  /** Too much is waiting already. */
  | "full"
  /** The database could not be reached, or did not answer, after retries. */
  | "unreachable"
  /** The database is newer than this program, or is not ours. */
  | "incompatible";

/**
 * Every error that leaves `store/`. The driver's error is its `cause`; its message holds no parameter of a
 * query, because those are payloads and topics.
 */
export class StoreError extends Error {
  readonly fault: StoreFault;
  constructor(fault: StoreFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "StoreError";
    this.fault = fault;
  }
  /** Whether the same call may succeed later. */
  get retryable(): boolean {
    return this.fault === "full" || this.fault === "unreachable";
  }
}
