/** `Math.min` and `Math.max`, which do not take ids. */

export function lower(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function higher(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
