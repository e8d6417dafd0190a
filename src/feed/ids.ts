/** `Math.min` and `Math.max`, which do not take ids. */

export function lower(a: bigint, b: bigint): bigint {
  if (a < b) return a;
  return b;
}

export function higher(a: bigint, b: bigint): bigint {
  if (a > b) return a;
  return b;
}
