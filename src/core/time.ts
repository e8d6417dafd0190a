/** Milliseconds on a monotonic clock. */
export type Millis = number;
